"""A dataset of tables by month, in a format that engines read.

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
from archiver.model import to_text
from archiver.offline.export.tables import is_table_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from archiver.offline.export.formats import Format
    from archiver.offline.export.stores import Store
    from archiver.offline.export.tables import Rows, Table
    from archiver.store.read.reader import ArchiveReader

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

    def is_new(self, name: str, entry: dict[str, Any], present: int | None) -> bool:
        """Count a month, and return whether its rows are new.

        `present` is the number of rows that are there, None if that is not known, and negative without any.
        """
        # The manifest of an export that was overtaken by another one can be of other rows.
        is_same = present in {None, entry["rows"]} and self.partitions.get(name, {}).get("digest") == entry["digest"]
        self.rows += entry["rows"]
        self.unchanged += is_same
        self.written += not is_same
        self.partitions[name] = entry
        return not is_same


def export_dataset(  # noqa: PLR0913, PLR0917  # what is written, where and how
    reader: ArchiveReader, store: Store, to: Format, tables: Sequence[Table], since: date | None, until: date | None
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
    if moment is not None and not any(table.is_archived(reader) for table in tables):
        raise ConfigurationError(f"nothing was archived as of {moment}", hint="choose a later --as-of")
    about = {
        "archiver.version": __version__,
        "archiver.as_of": moment or "",
        "archiver.organization_id": identity or "",
    }
    for table in tables:
        present = to.months(table.name)
        with_rows = set()
        for month in table.months(reader, since, until):
            entry = _entry(table.rows(reader, month))
            # A bucket that lost its last row by a restatement can leave a month without any.
            if entry["rows"]:
                with_rows.add(month)
                if done.is_new(f"{table.name}/month={month}", entry, present.get(month, -1)):
                    made_from = about | {"archiver.month": month, "archiver.digest": entry["digest"]}
                    to.write(table.name, month, table.rows(reader, month), made_from)
        for month in sorted(present.keys() - with_rows):
            if _is_selected(month, since, until):
                to.remove(table.name, month)
                done.partitions.pop(f"{table.name}/month={month}", None)
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
        if not all(map(is_table_name, strangers)):
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


def _is_selected(month: str, since: date | None, until: date | None) -> bool:
    is_before_end = until is None or date.fromisoformat(f"{month}-01") < until
    return is_before_end and (since is None or month >= f"{since:%Y-%m}")


def _entry(rows: Rows) -> dict[str, Any]:
    """Return the entry of a month in the manifest: a digest of its rows in any order, and their number."""
    names, found = rows
    total, number = 0, 0
    for row in found:
        total += int.from_bytes(sha256(repr(row).encode("utf-8", "surrogatepass")).digest())
        number += 1
    return {"digest": sha256(repr((_VERSION, names, total, number)).encode()).hexdigest(), "rows": number}
