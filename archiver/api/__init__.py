"""The Admin API: the only room with HTTP."""
