"""Exports of an archive for other programs."""
