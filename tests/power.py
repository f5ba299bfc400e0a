"""Power cuts: what a disk may hold after one, from a recording of what a sync did to its files.

Only what was synced is sure. Of all other writes and changes of size any may be lost, kept, or kept in parts; of
files that were made or unlinked since the folder was synced, too. The wal-index is memory, and never survives.
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
TOLD = "told"
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
    """One thing that was done to a file: `write`, `size`, `sync`, `make`, `unlink`, or `told` with a line."""

    what: str
    name: str = ""
    at: int = 0
    data: bytes = b""


def record(api: Simulator, db: Path, since: str, **wishes: Any) -> list[Operation]:
    """Run a sync, and list all that it did to its files and folder, and when it reported a window as archived."""
    names = {str(db.parent): FOLDER, str(db.with_name(TOLD)): TOLD}
    names |= {f"{db}{suffix}": f"{db.name}{suffix}" for suffix in ("", "-wal", "-journal")}
    there = {path.name for path in db.parent.iterdir()}
    options = [FAST, "-xx", "-s", "1000000", "-e", f"trace={_CALLS},{_NAMES}"]
    run = traced(api, db, options, since=since, files=[*map(type(db), names)], **wishes)
    assert run.code == (9 if "die_after" in wishes else 0), run.said
    return list(_Reading(names, there).operations(run.lines))


class _Reading:
    """Turns strace's lines into operations; which descriptor is which file is followed from call to call."""

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
                line = f"{match['thread']} {begun.pop(match['thread'])}{match['rest']}"  # noqa: PLW2901  # made whole
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
            if name == TOLD:
                yield Operation("told", data=texts[0])
            elif call in {"fsync", "fdatasync"}:
                yield Operation("sync", name)
            elif call == "ftruncate":
                yield Operation("size", name, at=int(rest.split(", ")[1]))
            else:
                assert call == "pwrite64", f"{call} is not understood"
                yield Operation("write", name, at=int(rest.rsplit(", ", 1)[1]), data=texts[0][:result])

    def _opened(self, name: str, flags: str, descriptor: int) -> Iterator[Operation]:
        assert "O_TRUNC" not in flags
        self.open[descriptor] = name
        if "O_CREAT" in flags and name not in {*self.there, TOLD}:
            self.there.add(name)
            yield Operation("make", name)


@dataclass(slots=True)
class _File:
    sure: bytearray = field(default_factory=bytearray)
    unsure: list[Operation] = field(default_factory=list)

    def sync(self) -> None:
        for operation in self.unsure:
            _do(self.sure, operation)
        self.unsure.clear()

    def after_cut(self, chance: random.Random, *, stale: bool) -> bytes:
        """Give what may be left of it; `stale` says that what was never written may show anything."""
        content, style, count = bytearray(self.sure), chance.random(), chance.randint(0, len(self.unsure))
        garbage = chance if stale and chance.random() < 0.3 else None
        for number, operation in enumerate(self.unsure):
            if style < 0.4:  # in order: all, none, or the first few
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
    """A folder of files, each with what is sure to survive a power cut and what is not."""

    def __init__(self) -> None:
        self._files: dict[str, _File] = {}
        self._sure: dict[str, _File] = {}
        self._unsure: dict[str, list[_File | None]] = {}

    def do(self, operation: Operation) -> None:
        """Do what the program did."""
        name = operation.name
        if operation.what == "make":
            self._files[name] = _File()
            self._unsure.setdefault(name, []).append(self._files[name])
        elif operation.what == "unlink":
            del self._files[name]
            self._unsure.setdefault(name, []).append(None)
        elif operation.what in {"write", "size"}:
            self._files[name].unsure.append(operation)
        elif name == FOLDER:
            self._sure = dict(self._files)
            self._unsure.clear()
        elif operation.what == "sync":
            self._files[name].sync()

    def after_cut(self, chance: random.Random) -> dict[str, bytes]:
        """Give the files that a power cut may leave, by chance."""
        left: dict[str, _File | None] = dict(self._sure)
        for name, changes in self._unsure.items():
            left[name] = chance.choice([self._sure.get(name), *changes])
        return {n: f.after_cut(chance, stale=n.endswith(LOGS)) for n, f in sorted(left.items()) if f is not None}

    def whole(self) -> dict[str, bytes]:
        """Give the files as the program left them."""
        for file in self._files.values():
            file.sync()
        return {name: bytes(file.sure) for name, file in self._files.items()}


def _do(content: bytearray, operation: Operation, garbage: random.Random | None = None) -> None:
    at, data = operation.at, operation.data
    if operation.what == "size":
        del content[at:]
    if at > len(content):
        hole = at - len(content)
        content += garbage.randbytes(hole) if garbage else bytes(hole)
    content[at : at + len(data)] = data


def _torn(operation: Operation, chance: random.Random) -> Iterator[Operation]:
    """Give a part of a write: its beginning, or some of its sectors; only the logs are torn inside of a sector."""
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
    """What one power cut left, and which windows had been reported as archived before it."""

    number: int
    cut: int
    files: dict[str, bytes]
    told: list[str]

    def lay_out(self, folder: Path) -> None:
        """Make a folder hold these files and no others."""
        for path in folder.iterdir():
            path.unlink()
        for name, content in self.files.items():
            (folder / name).write_bytes(content)

    def __str__(self) -> str:
        """Name it in a test's report."""
        sizes = ", ".join(f"{name} {len(content)}" for name, content in self.files.items())
        return f"state {self.number}, cut after operation {self.cut} ({sizes or 'no file'}; {len(self.told)} told)"


def states(operations: Sequence[Operation], numbers: Sequence[int]) -> Iterator[State]:
    """Give one state for each number, from the earliest cut to the latest; the number is the seed."""
    chances = {number: random.Random(number) for number in numbers}  # noqa: S311  # repeatable chance
    cuts = sorted((chance.randint(0, len(operations)), number) for number, chance in chances.items())
    disk, told, done = Disk(), list[str](), 0
    for cut, number in cuts:
        for operation in operations[done:cut]:
            if operation.what == "told":
                told.append(operation.data.decode())
            else:
                disk.do(operation)
        done = cut
        yield State(number, cut, disk.after_cut(chances[number]), list(told))
