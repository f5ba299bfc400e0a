"""The reports of the Admin API: parameters and row formats.

Nothing in this package reads or writes.
"""

from archiver.model import Report
from archiver.reports.cost import COST
from archiver.reports.spec import ReportSpec
from archiver.reports.usage import USAGE

SPECS: dict[Report, ReportSpec] = {Report.USAGE: USAGE, Report.COST: COST}

__all__ = ["COST", "SPECS", "USAGE", "ReportSpec"]
