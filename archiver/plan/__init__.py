"""Plan the windows of a run from dates and coverage; no input or output."""
