"""Which findings were reported, in a file next to the archive."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from archiver.errors import ConfigurationError
from archiver.offline.atomic import write_atomic

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from archiver.offline.check.findings import Finding, Identity

_VERSION = 1
_LATE_DAYS = 3  # so long numbers of a day change much, and it is looked at again
_KEPT_DAYS = 90


@dataclass(slots=True)
class Memory:
    """The findings that were reported.

    Attributes:
        checked_until: The day after the last one that was checked; None: no run was before.
        reported: The key of a finding → its last day.
    """

    checked_until: date | None = None
    reported: dict[tuple[str, Identity], date] = field(default_factory=dict)

    def new(self, findings: Sequence[Finding], last: date) -> list[Finding]:
        """Return the findings to report, each once until it is over.

        `last` is the newest whole day. A finding that goes on from one that was reported is the same. One that ended
        before the last check is old, and a first run reports only what is so on the newest day.
        """
        since = last if self.checked_until is None else min(self.checked_until, last - timedelta(days=_LATE_DAYS - 1))
        return [one for one in findings if one.last >= since and not self._is_known(one)]

    def _is_known(self, finding: Finding) -> bool:
        before = self.reported.get(finding.key)
        return before is not None and finding.first <= before + timedelta(days=1)

    def after(self, findings: Sequence[Finding], reported: Sequence[Finding], last: date) -> Memory:
        """Return what to remember once findings were reported."""
        kept = {key: day for key, day in self.reported.items() if day >= last - timedelta(days=_KEPT_DAYS)}
        for one in findings:
            if one in reported or self._is_known(one):
                kept[one.key] = max(one.last, kept.get(one.key, one.last))
        return Memory(last + timedelta(days=1), kept)


def load_memory(path: Path) -> Memory:
    """Read the file; a missing one is of a first run.

    Raises:
        ConfigurationError: It cannot be read, or is not what this program wrote.
    """
    try:
        raw: Any = json.loads(path.read_text("utf-8"))
        checked_until = date.fromisoformat(raw["checked_until"])
        reported = {(rule, tuple(identity)): date.fromisoformat(day) for rule, identity, day in raw["reported"]}
    except FileNotFoundError:
        return Memory()
    except OSError as error:
        raise ConfigurationError(
            f"cannot read {path}: {error.strerror}", hint="give another file with --state"
        ) from None
    except (ValueError, TypeError, KeyError):
        raise ConfigurationError(
            f"{path} is not a file of archiver check", hint="remove it, or give another with --state"
        ) from None
    return Memory(checked_until, reported)


def save_memory(path: Path, memory: Memory, db: Path) -> None:
    """Write the file whole or not at all.

    Raises:
        StorageError: It cannot be written.
    """
    in_order = sorted(memory.reported.items(), key=str)
    entries = [[rule, [*identity], f"{day}"] for (rule, identity), day in in_order]
    text = json.dumps({"version": _VERSION, "checked_until": f"{memory.checked_until}", "reported": entries}, indent=1)
    write_atomic(path, (text + "\n").encode(), db)
