"""A dataset of the daily views by month, in a format that engines read.

`manifest.json` says what each month was made from. A month with the same rows as before is not written again.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import date
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from archiver import __version__
from archiver.errors import ConfigurationError
from archiver.model import Report, to_text
from archiver.store.statements import sql

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from archiver.offline.export.formats import Format
    from archiver.offline.export.stores import Store
    from archiver.store.read.reader import ArchiveReader

VIEWS_OF = {
    Report.COST: ("daily_cost",),
    Report.USAGE: ("daily_tokens",),
    Report.ANALYTICS_COST: ("daily_cost_by_key", "daily_cost_by_person"),
    Report.CLAUDE_CODE: ("claude_code",),
}
"""The views that are exported of each report. Of each day they have one series, so that sums over them are right."""
_VERSION = 1
_MANIFEST = "manifest.json"


@dataclass(slots=True)
class Written:
    """What an export did, in months and rows, and the manifest's entries."""

    written: int = 0
    unchanged: int = 0
    removed: int = 0
    rows: int = 0
    partitions: dict[str, dict[str, Any]] = field(default_factory=dict)


def export_dataset(  # noqa: PLR0913, PLR0917  # what is written, where and how
    reader: ArchiveReader, store: Store, to: Format, reports: Sequence[Report], since: date | None, until: date | None
) -> Written:
    """Write the months that changed, and the manifest.

    Every month with a day from `since` to before `until` is written whole; others stay as they are.

    Raises:
        ConfigurationError: A library is not installed, the folder has files that no export of this format wrote, or
            nothing was archived as of the time of the reader.
        StorageError: A file cannot be written. Every month is then the old or the new one.
    """
    organization = reader.status().organization
    identity = organization.id if organization else None
    manifest = _read_manifest(store, to)
    if manifest.get("organization_id") not in {None, identity}:
        raise ConfigurationError(f"{store.address} is of another organization", hint="name another folder")
    done = Written(partitions=dict(manifest.get("partitions", {})))
    moment = None if reader.as_of is None else to_text(reader.as_of)
    if moment is not None and not any(reader.days(report) for report in reports):
        raise ConfigurationError(f"nothing was archived as of {moment}", hint="choose a later --as-of")
    about = {
        "archiver.version": __version__,
        "archiver.as_of": moment or "",
        "archiver.organization_id": identity or "",
    }
    for view in (view for report in reports for view in VIEWS_OF[report]):
        months = _months(reader, view, since, until)
        present = to.months(view)
        for month in months:
            if not _is_written(reader, view, month, done, present.get(month, -1)):
                digest = done.partitions[f"{view}/month={month}"]["digest"]
                made_from = about | {"archiver.month": month, "archiver.digest": digest}
                to.write(view, month, _rows(reader, view, month), made_from)
        for month in sorted(present.keys() - {*months}):
            if _is_selected(month, since, until):
                to.remove(view, month)
                done.partitions.pop(f"{view}/month={month}", None)
                done.removed += 1
    _write_manifest(store, to, done, identity, moment)
    return done


def _write_manifest(store: Store, to: Format, done: Written, organization_id: str | None, as_of: str | None) -> None:
    entry = {
        "format": _VERSION,
        "kind": to.name,
        "generator": f"archiver {__version__}",
        "organization_id": organization_id,
        "as_of": as_of,
        "partitions": dict(sorted(done.partitions.items())),
    }
    with store.writing(_MANIFEST) as file:
        file.write((json.dumps(entry, indent=1) + "\n").encode())


def _read_manifest(store: Store, to: Format) -> dict[str, Any]:
    content = store.read(_MANIFEST)
    if content is None:
        strangers = {name for name in store.names() if not name.startswith(".")}
        if not strangers <= {view for views in VIEWS_OF.values() for view in views}:
            raise ConfigurationError(
                f"{store.address} is not empty, and no export wrote it", hint="name an empty folder"
            )
        return {}
    try:
        manifest = json.loads(content)
    except ValueError:
        manifest = None
    where = f"{store.address}/{_MANIFEST}"
    if not isinstance(manifest, dict) or manifest.get("format") != _VERSION:
        raise ConfigurationError(f"{where} is not a manifest of this program", hint="name another folder")
    kind = manifest.get("kind", "parquet")
    if kind != to.name:
        raise ConfigurationError(f"{where} is of a {kind} dataset", hint="name another folder")
    return manifest


def _months(reader: ArchiveReader, view: str, since: date | None, until: date | None) -> list[str]:
    """Return the months that a view has rows of, within the bounds."""
    bounds = {"since": f"{since}" if since else None, "until": f"{until}" if until else None}
    return [month for (month,) in reader.connection.execute(sql(f"{view}.select_months"), bounds)]


def _is_selected(month: str, since: date | None, until: date | None) -> bool:
    is_before_end = until is None or date.fromisoformat(f"{month}-01") < until
    return is_before_end and (since is None or month >= f"{since:%Y-%m}")


def _is_written(reader: ArchiveReader, view: str, month: str, done: Written, present: int | None) -> bool:
    """Return whether a month was written before with the same rows, and count it.

    `present` is the number of rows that are there, None if that is not known, and negative without any.
    """
    name = f"{view}/month={month}"
    digest, number = _digest(*_rows(reader, view, month))
    # The manifest of an export that was overtaken by another one can be of other rows.
    is_written = present in {None, number} and done.partitions.get(name, {}).get("digest") == digest
    done.rows += number
    done.unchanged += is_written
    done.written += not is_written
    done.partitions[name] = {"digest": digest, "rows": number}
    return is_written


def _rows(reader: ArchiveReader, view: str, month: str) -> tuple[list[str], Iterator[tuple[Any, ...]]]:
    found = reader.connection.execute(sql(f"{view}.select_month"), {"month": month})
    return [column[0] for column in found.description], found


def _digest(names: Sequence[str], rows: Iterator[tuple[Any, ...]]) -> tuple[str, int]:
    """Return a digest of rows in any order, and their number."""
    total, number = 0, 0
    for row in rows:
        total += int.from_bytes(sha256(repr(row).encode("utf-8", "surrogatepass")).digest())
        number += 1
    return sha256(repr((_VERSION, list(names), total, number)).encode()).hexdigest(), number
