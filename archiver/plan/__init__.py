"""What to ask: pure planning, from dates and coverage to windows."""
