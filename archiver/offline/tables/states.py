"""The states of limits, which reports compute and terminals colour."""

PASSED, WILL_BE_PASSED, KEPT, UNKNOWN = "passed", "will be passed", "kept", "unknown"
