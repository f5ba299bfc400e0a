"""Install a nightly run where the scheduler of this system reads it.

Nothing is replaced that is not of the same archive, and to install twice is to install once.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from archiver.errors import ConfigurationError, StorageError
from archiver.offline.schedule import schedule_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from archiver.offline.schedule import Nightly

_TIMER = "# ~/.config/systemd/user/archiver.timer\n"
_SECONDS = 30.0
_NO_CRONTAB = re.compile("no crontab|no such file", re.IGNORECASE)
_ARCHIVE = re.compile(r"\bsync --quiet (.*?)(?: --admin-key-file .*?)? --wait ")


def install(kind: str, run: Nightly) -> list[str]:
    """Install a nightly run, and return what was done in sentences.

    Raises:
        ConfigurationError: The scheduler is not here, has the run of another archive, or is not of this machine.
        StorageError: A file cannot be written, or the scheduler refused it.
    """
    if run.key_file is not None and not Path(run.key_file).is_file():
        raise ConfigurationError(
            f"{run.key_file} is no file",
            hint="write the admin key to a file, chmod 600, and give --admin-key-file FILE",
        )
    text = schedule_text(kind, run)
    if kind == "systemd":
        return _install_systemd(text)
    if kind == "launchd":
        return _install_launchd(text)
    if kind == "cron":
        return _install_cron(text)
    raise ConfigurationError(f"{kind} is installed from its own tools", hint="archiver schedule kubernetes says how")


def _install_systemd(text: str) -> list[str]:
    folder = Path.home() / ".config" / "systemd" / "user"
    service, _, timer = text.partition(_TIMER)
    files = {folder / "archiver.service": service, folder / "archiver.timer": timer}
    _check_same_archive(folder / "archiver.service", text)
    _need("systemctl")
    done = [_write(path, content) for path, content in files.items()]
    _call(["systemctl", "--user", "daemon-reload"])
    _call(["systemctl", "--user", "enable", "--now", "archiver.timer"])
    return [*done, "enabled archiver.timer; loginctl enable-linger lets it run while you are logged out"]


def _install_launchd(text: str) -> list[str]:
    path = Path.home() / "Library" / "LaunchAgents" / "archiver.nightly.plist"
    _check_same_archive(path, text)
    _need("launchctl")
    is_replaced = path.exists()
    done = _write(path, text)
    if is_replaced:
        _call(["launchctl", "unload", str(path)])
    _call(["launchctl", "load", str(path)])
    return [done, "loaded archiver.nightly"]


def _install_cron(text: str) -> list[str]:
    _need("crontab")
    found = subprocess.run(["crontab", "-l"], capture_output=True, text=True, check=False, timeout=_SECONDS)  # noqa: S607
    if found.returncode and not _NO_CRONTAB.search(found.stderr):
        # Of one that cannot be read, all other lines would be lost.
        raise StorageError(f"crontab -l failed: {found.stderr.strip()}", hint="archiver schedule cron prints the line")
    before = found.stdout.splitlines() if found.returncode == 0 else []
    line = text.splitlines()[1]
    kept = [one for one in before if _archive_of(one) != _archive_of(line)]
    if line in before and len(kept) == len(before) - 1:
        return ["the crontab has the line already"]
    _call(["crontab", "-"], "\n".join([*kept, line]) + "\n")
    return ["replaced the line in the crontab" if len(kept) < len(before) else "added a line to the crontab"]


def _archive_of(text: str) -> str:
    """Return the options of the first sync in a text that name its archive; empty without a sync.

    The place of the program, the key and the time may be others.
    """
    words = " ".join(re.findall(r"<string>(.*?)</string>", text)) or text
    match = _ARCHIVE.search(words)
    return match[1] if match else ""


def _check_same_archive(path: Path, text: str) -> None:
    try:
        before = path.read_text("utf-8")
    except FileNotFoundError:
        return
    except (OSError, UnicodeDecodeError) as error:
        raise StorageError(f"cannot read {path}: {error}", hint="check its permissions") from None
    if _archive_of(before) != _archive_of(text):
        raise ConfigurationError(
            f"{path} runs another archive", hint="remove it, or use profiles and sync --all-profiles in one run"
        )


def _need(program: str) -> None:
    if shutil.which(program) is None:
        raise ConfigurationError(f"{program} is not on this system", hint="archiver schedule cron|systemd|launchd")


def _write(path: Path, content: str) -> str:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        new = path.with_name(f".{path.name}.new")
        new.write_text(content, encoding="utf-8")
        new.replace(path)
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error.strerror}", hint="check its permissions") from None
    return f"wrote {path}"


def _call(command: Sequence[str], stdin: str = "") -> None:
    try:
        done = subprocess.run(  # noqa: S603  # words of ours
            command, input=stdin, capture_output=True, text=True, check=False, timeout=_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise StorageError(f"{command[0]} did not run: {type(error).__name__}", hint="run it by hand") from None
    if done.returncode:
        reason = (done.stderr or done.stdout).strip().partition("\n")[0]
        raise StorageError(f"{' '.join(command)} failed: {reason}", hint="run it by hand")
