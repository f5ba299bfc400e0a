-- Ranges that a sync requested and could not archive.
SELECT report, bucket_width, group_by, range_start, range_end, state FROM coverage
WHERE state IN ('missing', 'failed') ORDER BY range_start;
