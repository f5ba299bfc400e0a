"""Built-in reports, computed from the archive alone."""
