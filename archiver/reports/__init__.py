"""The reports of the Admin API: parameters and row formats.

Nothing in this package reads or writes.
"""

from archiver.model import Report
from archiver.reports.analytics import ANALYTICS_COST, ANALYTICS_USAGE
from archiver.reports.claude_code import CLAUDE_CODE
from archiver.reports.cost import COST
from archiver.reports.spec import ReportSpec
from archiver.reports.usage import USAGE

SPECS: dict[Report, ReportSpec] = {
    one.report: one for one in (USAGE, COST, ANALYTICS_USAGE, ANALYTICS_COST, CLAUDE_CODE)
}

__all__ = ["ANALYTICS_COST", "ANALYTICS_USAGE", "CLAUDE_CODE", "COST", "SPECS", "USAGE", "ReportSpec"]
