"""A local Admin API that answers like the real one, from an invented organisation.

It shares no code with the archiver, so that it can be a witness against it.
"""

from archiver.simulator.activity import COUNTS
from archiver.simulator.clock import Clock
from archiver.simulator.faults import FAULTS, Faults
from archiver.simulator.habits import DIMENSIONS
from archiver.simulator.server import Recorded
from archiver.simulator.settings import INVENTED_KEY, REFUSED_KEY, Settings
from archiver.simulator.simulator import Simulator, background

__all__ = [
    "COUNTS",
    "DIMENSIONS",
    "FAULTS",
    "INVENTED_KEY",
    "REFUSED_KEY",
    "Clock",
    "Faults",
    "Recorded",
    "Settings",
    "Simulator",
    "background",
]
