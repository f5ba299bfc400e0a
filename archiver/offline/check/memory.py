"""The reported findings, kept in a file between runs of `archiver check`."""

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
_LATE_DAYS = 3  # the newest whole days are checked again, because their numbers can still change much
_KEPT_DAYS = 90  # findings that ended earlier than this are forgotten


@dataclass(slots=True)
class Memory:
    """The findings that earlier runs reported.

    Attributes:
        checked_until: The day after the last checked day; None before the first run.
        reported: The key of a reported finding → its last day.
    """

    checked_until: date | None = None
    reported: dict[tuple[str, Identity], date] = field(default_factory=dict)

    def new(self, findings: Sequence[Finding], last: date) -> list[Finding]:
        """Return the findings to report; a finding that continues is not repeated.

        `last` is the newest whole day, that is, the newest day that was read after it had ended. Findings that ended
        on days that are not checked again are left out. The first run checks the newest whole day only.
        """
        since = last if self.checked_until is None else min(self.checked_until, last - timedelta(days=_LATE_DAYS - 1))
        return [finding for finding in findings if finding.last >= since and not self._was_reported(finding)]

    def _was_reported(self, finding: Finding) -> bool:
        """Return whether a finding continues a finding that was reported."""
        reported_until = self.reported.get(finding.key)
        return reported_until is not None and finding.first <= reported_until + timedelta(days=1)

    def after(self, findings: Sequence[Finding], reported: Sequence[Finding], last: date) -> Memory:
        """Return the memory for the next run, after `reported` were reported.

        `findings` are all findings of this run, `last` is the newest whole day.
        """
        kept = {key: day for key, day in self.reported.items() if day >= last - timedelta(days=_KEPT_DAYS)}
        for finding in findings:
            if finding in reported or self._was_reported(finding):
                kept[finding.key] = max(finding.last, kept.get(finding.key, finding.last))
        return Memory(last + timedelta(days=1), kept)


def load_memory(path: Path) -> Memory:
    """Read the file; return an empty memory if it does not exist.

    Raises:
        ConfigurationError: The file cannot be read, or was not written by `archiver check`.
    """
    try:
        raw: Any = json.loads(path.read_text("utf-8"))
        checked_until = date.fromisoformat(raw["checked_until"])
        reported = {(rule, tuple(identity)): date.fromisoformat(day) for rule, identity, day in raw["reported"]}
    except FileNotFoundError:
        return Memory()
    except OSError as error:
        raise ConfigurationError(
            f"cannot read {path}: {error.strerror}", hint="choose another file with --state"
        ) from None
    except (ValueError, TypeError, KeyError):
        raise ConfigurationError(
            f"{path} is not a file of archiver check", hint="remove it, or choose another file with --state"
        ) from None
    return Memory(checked_until, reported)


def save_memory(path: Path, memory: Memory, db: Path) -> None:
    """Write the file completely or not at all.

    `db` is the archive, which the file must not replace.

    Raises:
        ConfigurationError: The path is the archive, another database, or not a regular file.
        StorageError: The file cannot be written.
    """
    # By the text of keys, because None in a key cannot be compared with texts.
    in_order = sorted(memory.reported.items(), key=str)
    entries = [[rule, [*identity], f"{day}"] for (rule, identity), day in in_order]
    text = json.dumps({"version": _VERSION, "checked_until": f"{memory.checked_until}", "reported": entries}, indent=1)
    write_atomic(path, (text + "\n").encode(), db)
