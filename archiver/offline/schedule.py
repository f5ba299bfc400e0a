"""A nightly run for cron, systemd, launchd and Kubernetes."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass, replace
from importlib.resources import files
from string import Template
from xml.sax.saxutils import escape

KINDS = ("cron", "systemd", "launchd", "kubernetes")


@dataclass(frozen=True, slots=True)
class Nightly:
    """A run every night.

    Attributes:
        program: The command of this program, an absolute path.
        db: The archive, an absolute path; empty: that of the settings.
        hour: The hour of the local time.
        key_file: The file with the admin key; None: the settings name the key.
        settings: The options of a configuration, as `--config FILE --profile NAME`.
    """

    program: str
    db: str
    hour: int
    minute: int
    key_file: str | None = "/path/to/admin-key"
    settings: tuple[str, ...] = ()

    @property
    def words(self) -> list[str]:
        """The words of the sync."""
        key = [] if self.key_file is None else ["--admin-key-file", self.key_file]
        return [self.program, "sync", "--quiet", *self._archive, *key, "--wait", "1h"]

    @property
    def check(self) -> list[str]:
        """The words of the check after it."""
        return [self.program, "check", "--quiet", *self._archive]

    @property
    def _archive(self) -> list[str]:
        return [*self.settings, *(["--db", self.db] if self.db else [])]


def schedule_text(kind: str, run: Nightly) -> str:
    """Return what to install for one of KINDS; its comments say how."""
    values = {"cron": _cron, "systemd": _systemd, "launchd": _launchd, "kubernetes": _kubernetes}[kind](run)
    template = files("archiver.offline.schedules").joinpath(f"{kind}.txt").read_text("utf-8")
    return Template(template).substitute(
        values, hour=run.hour, minute=run.minute, time=f"{run.hour:02d}:{run.minute:02d}"
    )


def _cron(run: Nightly) -> dict[str, str]:
    commands = {"command": run.words, "check": run.check}
    # A percent sign ends a command in a crontab.
    return {name: shlex.join(words).replace("%", "\\%") for name, words in commands.items()}


def _systemd(run: Nightly) -> dict[str, str]:
    commands = {"command": run.words, "check": run.check}
    return {name: " ".join(map(_systemd_word, words)) for name, words in commands.items()}


def _systemd_word(word: str) -> str:
    # A percent sign begins a specifier in a unit file, a dollar sign a variable.
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return escaped if escaped and not set(escaped) & set(" \t\"'\\;") else f'"{escaped}"'


def _launchd(run: Nightly) -> dict[str, str]:
    return {"words": "\n".join(f"    <string>{escape(word)}</string>" for word in _in_a_shell(run))}


def _kubernetes(run: Nightly) -> dict[str, str]:
    # The image has the program on its path, and the volumes of the job have their own paths.
    inside = replace(run, program="archiver", db="/archive/archive.db", key_file="/secrets/admin-key", settings=())
    return {"command": json.dumps(_in_a_shell(inside))}  # JSON is YAML too


def _in_a_shell(run: Nightly) -> list[str]:
    """Return the words that run the sync, and the check after it, where one command has to do both."""
    return ["/bin/sh", "-c", f"{shlex.join(run.words)} && {shlex.join(run.check)}"]
