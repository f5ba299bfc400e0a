"""Answers from the file alone.

The query sandbox, ready reports, rendering.
"""
