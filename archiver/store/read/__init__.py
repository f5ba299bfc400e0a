"""The read side of the archive: connections that never write."""
