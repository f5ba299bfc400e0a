"""Possible states of a disk after a power cut, computed from a sync's system calls.

Only synced data is durable. Any other write or truncation may be lost, kept, or kept in parts, and so may files that
were created or unlinked since the folder was synced. The wal-index is shared memory, and never survives.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from tests.strace import FAST, traced

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path
    from typing import Any

    from archiver.simulator import Simulator

SECTOR = 512
FOLDER = "."
REPORTED = "reported"
LOGS = ("-wal", "-journal")
_CALLS = (
    "?open,openat,?creat,?pwrite64,?write,?pwritev,?pwritev2,?writev,?ftruncate,?truncate,?fallocate,fsync,fdatasync"
)
_NAMES = "?unlink,?unlinkat,?rename,?renameat,?renameat2,?link,?linkat"
_LINE = re.compile(r"(?P<thread>\d+) +(?P<call>\w+)\((?P<rest>.*)\) += (?P<result>-?\d+)")
_UNFINISHED = re.compile(r"(?P<thread>\d+) +(?P<begun>\w+\(.*) <unfinished \.\.\.>")
_RESUMED = re.compile(r"(?P<thread>\d+) +<\.\.\. \w+ resumed>(?P<rest>.*)")
_TEXT = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')


class Operation(NamedTuple):
    """One change of a file: `write`, `size`, `sync`, `make` or `unlink`; or `reported`, with a line of output."""

    what: str
    name: str = ""
    at: int = 0
    data: bytes = b""


def record(api: Simulator, db: Path, since: str, **wishes: Any) -> list[Operation]:
    """Run a sync and list its operations on files and folder, and its reports of archived windows, in their order."""
    names = {str(db.parent): FOLDER, str(db.with_name(REPORTED)): REPORTED}
    names |= {f"{db}{suffix}": f"{db.name}{suffix}" for suffix in ("", "-wal", "-journal")}
    there = {path.name for path in db.parent.iterdir()}
    options = [FAST, "-xx", "-s", "1000000", "-e", f"trace={_CALLS},{_NAMES}"]
    run = traced(api, db, options, since=since, files=[*map(type(db), names)], **wishes)
    assert run.code == (9 if "die_after" in wishes else 0), run.output
    return list(_Reading(names, there).operations(run.lines))


class _Reading:
    """Turns strace's lines into operations, and keeps track of the file of each descriptor."""

    def __init__(self, names: dict[str, str], there: set[str]) -> None:
        self.names = names
        self.there = there
        self.open: dict[int, str] = {}

    def operations(self, lines: Sequence[str]) -> Iterator[Operation]:
        begun: dict[str, str] = {}
        for line in lines:
            if match := _UNFINISHED.match(line):
                begun[match["thread"]] = match["begun"]
                continue
            if match := _RESUMED.match(line):
                line = f"{match['thread']} {begun.pop(match['thread'])}{match['rest']}"  # noqa: PLW2901  # joined with its beginning
            if (match := _LINE.match(line)) and not match["result"].startswith("-"):
                yield from self._read(match["call"], match["rest"], int(match["result"]))

    def _read(self, call: str, rest: str, result: int) -> Iterator[Operation]:
        texts = [bytes.fromhex(text.replace("\\x", "")) for text in _TEXT.findall(rest)]
        if call in {"open", "openat"}:
            yield from self._opened(self.names[texts[0].decode()], rest, result)
        elif call in {"unlink", "unlinkat"}:
            name = self.names[texts[0].decode()]
            self.there.discard(name)
            yield Operation("unlink", name)
        else:
            name = self.open[int(rest.split(",", maxsplit=1)[0])]
            if name == REPORTED:
                yield Operation("reported", data=texts[0])
            elif call in {"fsync", "fdatasync"}:
                yield Operation("sync", name)
            elif call == "ftruncate":
                yield Operation("size", name, at=int(rest.split(", ")[1]))
            else:
                assert call == "pwrite64", f"unexpected system call {call}"
                yield Operation("write", name, at=int(rest.rsplit(", ", 1)[1]), data=texts[0][:result])

    def _opened(self, name: str, flags: str, descriptor: int) -> Iterator[Operation]:
        assert "O_TRUNC" not in flags
        self.open[descriptor] = name
        if "O_CREAT" in flags and name not in {*self.there, REPORTED}:
            self.there.add(name)
            yield Operation("make", name)


@dataclass(slots=True)
class _File:
    durable: bytearray = field(default_factory=bytearray)
    pending: list[Operation] = field(default_factory=list)

    def sync(self) -> None:
        for operation in self.pending:
            _do(self.durable, operation)
        self.pending.clear()

    def after_cut(self, chance: random.Random, *, stale: bool) -> bytes:
        """Return a possible content after a power cut; with `stale`, holes may contain any bytes."""
        content, style, count = bytearray(self.durable), chance.random(), chance.randint(0, len(self.pending))
        garbage = chance if stale and chance.random() < 0.3 else None
        for number, operation in enumerate(self.pending):
            if style < 0.4:  # in order: all writes, none, or the first few
                fate = 1.0 if style < 0.1 or number < count else 0.6 if number == count else 0.0
            else:
                fate = chance.random()
            if fate > 0.7:
                _do(content, operation, garbage)
            elif fate > 0.5:
                for part in _torn(operation, chance):
                    _do(content, part, garbage)
        return bytes(content)


class Disk:
    """A folder of files, with durable and pending content."""

    def __init__(self) -> None:
        self._files: dict[str, _File] = {}
        self._durable: dict[str, _File] = {}
        self._pending: dict[str, list[_File | None]] = {}

    def do(self, operation: Operation) -> None:
        """Apply one operation."""
        name = operation.name
        if operation.what == "make":
            self._files[name] = _File()
            self._pending.setdefault(name, []).append(self._files[name])
        elif operation.what == "unlink":
            del self._files[name]
            self._pending.setdefault(name, []).append(None)
        elif operation.what in {"write", "size"}:
            self._files[name].pending.append(operation)
        elif name == FOLDER:
            self._durable = dict(self._files)
            self._pending.clear()
        elif operation.what == "sync":
            self._files[name].sync()

    def after_cut(self, chance: random.Random) -> dict[str, bytes]:
        """Return the files that a power cut may leave, chosen at random."""
        left: dict[str, _File | None] = dict(self._durable)
        for name, changes in self._pending.items():
            left[name] = chance.choice([self._durable.get(name), *changes])
        return {n: f.after_cut(chance, stale=n.endswith(LOGS)) for n, f in sorted(left.items()) if f is not None}

    def whole(self) -> dict[str, bytes]:
        """Return the files as the program left them."""
        for file in self._files.values():
            file.sync()
        return {name: bytes(file.durable) for name, file in self._files.items()}


def _do(content: bytearray, operation: Operation, garbage: random.Random | None = None) -> None:
    at, data = operation.at, operation.data
    if operation.what == "size":
        del content[at:]
    if at > len(content):
        hole = at - len(content)
        content += garbage.randbytes(hole) if garbage else bytes(hole)
    content[at : at + len(data)] = data


def _torn(operation: Operation, chance: random.Random) -> Iterator[Operation]:
    """Yield a part of a write: its beginning, or some of its sectors; only logs are torn within a sector."""
    if operation.what == "size":
        return
    data, at = operation.data, operation.at
    if chance.random() < 0.5:
        end = chance.randint(0, len(data))
        if chance.random() < 0.5 or not operation.name.endswith(LOGS):
            end = max(0, (at + end) // SECTOR * SECTOR - at)
        yield operation._replace(data=data[:end])
        return
    edges = [at, *range(at - at % SECTOR + SECTOR, at + len(data), SECTOR), at + len(data)]
    for start, end in pairwise(edges):
        if chance.random() < 0.5:
            yield operation._replace(at=start, data=data[start - at : end - at])


@dataclass(frozen=True, slots=True)
class State:
    """The files that one power cut left, and the windows that were reported as archived before it."""

    number: int
    cut: int
    files: dict[str, bytes]
    reported: list[str]

    def lay_out(self, folder: Path) -> None:
        """Replace all files of a folder by these."""
        for path in folder.iterdir():
            path.unlink()
        for name, content in self.files.items():
            (folder / name).write_bytes(content)

    def __str__(self) -> str:
        """Describe the state in a test's report."""
        sizes = ", ".join(f"{name} {len(content)}" for name, content in self.files.items())
        return (
            f"state {self.number}, cut after operation {self.cut} ({sizes or 'no file'}; {len(self.reported)} reported)"
        )


def states(operations: Sequence[Operation], numbers: Sequence[int]) -> Iterator[State]:
    """Yield one state for each number, its seed, from the earliest cut to the latest."""
    chances = {number: random.Random(number) for number in numbers}  # noqa: S311  # repeatable chance
    cuts = sorted((chance.randint(0, len(operations)), number) for number, chance in chances.items())
    disk, reported, done = Disk(), list[str](), 0
    for cut, number in cuts:
        for operation in operations[done:cut]:
            if operation.what == "reported":
                reported.append(operation.data.decode())
            else:
                disk.do(operation)
        done = cut
        yield State(number, cut, disk.after_cut(chances[number]), list(reported))
