"""The pages of the site that every page links to."""

from __future__ import annotations

NAVIGATION = (
    ("Overview", "/"),
    ("SQL", "/archive"),
    ("Saved queries", "/archive#queries"),
    ("Views", "/archive#views"),
)
"""Titles and addresses, the first page first."""
