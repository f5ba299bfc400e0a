"""The archive in a browser.

Datasette behind a guard, over statements that run in child processes.
"""
