"""Archive Claude API usage and cost reports in one local SQLite file."""

__version__ = "0.1.0"
