"""The archive in a browser: Datasette over children that read, behind a guard."""
