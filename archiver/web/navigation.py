"""The pages of the site that every page links to."""

from __future__ import annotations

NAVIGATION = (
    ("Overview", "/"),
    ("Reports", "/report"),
    ("SQL", "/archive"),
    ("Saved queries", "/archive#queries"),
    ("Views", "/archive#views"),
)
"""Titles and addresses, the first page first."""
