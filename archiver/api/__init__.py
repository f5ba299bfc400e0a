"""The client of the Admin API; all HTTP requests of the program are here."""
