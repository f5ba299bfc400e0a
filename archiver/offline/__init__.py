"""Answers from the file alone: the query sandbox, ready reports, rendering."""
