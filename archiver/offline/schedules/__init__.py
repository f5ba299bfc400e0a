"""The texts of `archiver schedule`, with $names in place of values."""
