"""`archiver check`: rules that look for what is odd in an archive."""
