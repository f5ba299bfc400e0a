"""`archiver export focus`: cost as FOCUS 1.2 rows."""
