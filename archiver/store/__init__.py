"""The archive: the only room with SQL."""
