"""The archive in a browser.

Datasette runs behind a guard of its requests, and each statement in a child process.
"""
