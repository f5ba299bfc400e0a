"""Several profiles in one call: a child process for each, or each in turn.

A profile is a table of the configuration with the options of one organisation, as its archive and its key.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from archiver.cli.command import Command, translate
from archiver.errors import BUG_EXIT, PARTIAL_EXIT, ArchiverError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_MOST_AT_ONCE = 4
_VARIABLE = "ARCHIVER_PROFILE"


def worst(codes: Sequence[int]) -> int:
    """Return the exit code of several: a bug, the largest, 3, or 0."""
    return max(codes, key=lambda code: {0: -2, PARTIAL_EXIT: -1, BUG_EXIT: 10_000}.get(code, code), default=0)


def run_children(ctx: click.Context, names: Sequence[str]) -> int:
    """Run the command of this call once for each profile.

    Some run at a time, and the worst exit code is returned. Lines get the name of the profile in front. With --json the
    objects are joined to one.
    """
    _check_database(ctx)
    arguments = _without_profiles(ctx.meta["archiver.arguments"])
    children = _Children([sys.executable, "-m", "archiver", *arguments], "--json" in arguments)
    try:
        with ThreadPoolExecutor(_MOST_AT_ONCE) as pool:
            try:
                codes = [one.result() for one in [pool.submit(children.run, name) for name in names]]
            except BaseException:
                children.stop()
                pool.shutdown(cancel_futures=True)
                raise
    finally:
        if children.is_json:
            click.echo(json.dumps({name: children.objects.get(name) for name in names}, indent=2))
    return worst(codes)


def run_each(ctx: click.Context, names: Sequence[str], run: Callable[[str, click.Context], int]) -> int:
    """Call `run` with the context of each profile in turn.

    The worst exit code is returned. An error of one is printed with its name, and the others go on.
    """
    _check_database(ctx)
    assert isinstance(ctx.command, Command)
    codes = []
    for name in names:
        ctx.meta["archiver.profile"] = name
        try:
            with ctx.command.make_context(ctx.info_name, list(ctx.meta["archiver.own_arguments"]), ctx.parent) as own:
                codes.append(run(name, own))
        except (ArchiverError, click.ClickException) as raised:
            error = translate(raised) if isinstance(raised, click.ClickException) else raised
            click.echo(f"error: {name}: {error.message}", err=True)
            if error.hint:
                click.echo(f"hint: {error.hint}", err=True)
            codes.append(error.exit_code)
        finally:
            del ctx.meta["archiver.profile"]
    return worst(codes)


def _check_database(ctx: click.Context) -> None:
    if ctx.get_parameter_source("db") in {ParameterSource.COMMANDLINE, ParameterSource.ENVIRONMENT}:
        raise click.UsageError("--db and several profiles are both given\nhint: each profile names its own archive")


def _without_profiles(arguments: Sequence[str]) -> list[str]:
    kept, left = [], iter(arguments)
    for one in left:
        if one == "--profile":
            next(left, None)
        elif one != "--all-profiles" and not one.startswith("--profile="):
            kept.append(one)
    return kept


@dataclass(slots=True)
class _Children:
    command: list[str]
    is_json: bool
    objects: dict[str, Any] = field(default_factory=dict)
    _running: list[subprocess.Popen[str]] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _is_stopped: bool = False

    def run(self, name: str) -> int:
        """Run the command for a profile, and return its exit code."""
        variables = {key: value for key, value in os.environ.items() if key != "ARCHIVER_ALL_PROFILES"}
        with self._lock:
            if self._is_stopped:
                return 0
            child = subprocess.Popen(  # noqa: S603  # this program itself
                self.command,
                env=variables | {_VARIABLE: name},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                encoding="utf-8",
                errors="backslashreplace",
            )
            self._running.append(child)
        assert child.stdout is not None
        assert child.stderr is not None
        with child:
            errors = threading.Thread(target=self._copy, args=(name, child.stderr, sys.stderr))
            errors.start()
            if self.is_json:
                self._keep(name, child.stdout.read())
            else:
                self._copy(name, child.stdout, sys.stdout)
            errors.join()
        return child.returncode

    def stop(self) -> None:
        """Ask the children to end, as after Ctrl-C; what they did is kept."""
        with self._lock:
            self._is_stopped = True
            for child in self._running:
                child.terminate()

    def _copy(self, name: str, source: IO[str], target: IO[str]) -> None:
        for line in source:
            with self._lock:
                target.write(f"{name}: {line}")
                target.flush()

    def _keep(self, name: str, text: str) -> None:
        try:
            self.objects[name] = json.loads(text)
        except ValueError:
            self.objects[name] = None
