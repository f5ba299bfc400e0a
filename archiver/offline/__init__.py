"""Everything that needs only the archive file: reports, tables and pages."""
