-- Stretches that were asked for and are not there.
SELECT report, bucket_width, group_by, range_start, range_end, state FROM coverage
WHERE state IN ('missing', 'failed') ORDER BY range_start;
