"""Pure planning: from dates and coverage to the windows of a run."""
