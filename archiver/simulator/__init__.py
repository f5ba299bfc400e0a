"""A local Admin API with the real one's behaviour and invented data.

It shares no code with the archiver, so that tests can compare the archive with an independent source.
"""

from archiver.simulator.activity import COUNTS
from archiver.simulator.clock import Clock
from archiver.simulator.faults import FAULTS, Faults
from archiver.simulator.server import RecordedRequest
from archiver.simulator.settings import INVENTED_KEY, INVENTED_TOKEN, REFUSED_KEY, Settings
from archiver.simulator.simulator import Simulator, background
from archiver.simulator.usage_patterns import DIMENSIONS

__all__ = [
    "COUNTS",
    "DIMENSIONS",
    "FAULTS",
    "INVENTED_KEY",
    "INVENTED_TOKEN",
    "REFUSED_KEY",
    "Clock",
    "Faults",
    "RecordedRequest",
    "Settings",
    "Simulator",
    "background",
]
