"""Where the admin key comes from: a file, a command or the environment; never the command line."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

from archiver.api.key import AdminKey
from archiver.errors import ConfigurationError

VARIABLES = ("ANTHROPIC_ADMIN_API_KEY", "ANTHROPIC_ADMIN_KEY")
_COMMAND_SECONDS = 60


def find_key(key_file: str | None, key_command: str | None) -> AdminKey:
    """Find the key: the option that was given, else the environment.

    Raises:
        ConfigurationError: None, or more than one that could be meant, or one that cannot be read.
    """
    if key_file is not None and key_command is not None:
        raise ConfigurationError("--admin-key-file and --admin-key-command are both given", hint="give one of them")
    if key_file is not None:
        return AdminKey(_read_file(key_file), "standard input" if key_file == "-" else f"the file {key_file}")
    if key_command is not None:
        return AdminKey(_run_command(key_command), "the key command")
    found = {name: os.environ[name] for name in VARIABLES if os.environ.get(name, "").strip()}
    if len({text.strip() for text in found.values()}) > 1:
        raise ConfigurationError(f"{' and '.join(VARIABLES)} are both set, and they differ", hint="unset one of them")
    for name, text in found.items():
        return AdminKey(text, name)
    raise ConfigurationError(
        "there is no admin key",
        hint=f"set {VARIABLES[0]}, or use --admin-key-file FILE or --admin-key-command CMD; "
        "an administrator makes one in the Console under Settings, Admin keys",
    )


def _read_file(name: str) -> str:
    try:
        return sys.stdin.read() if name == "-" else Path(name).read_text("utf-8")
    except UnicodeDecodeError:
        raise ConfigurationError(f"the key file {name} is not text") from None
    except OSError as error:
        reason = error.strerror or type(error).__name__
        if name.startswith("sk-"):  # the key itself, in place of its file
            raise ConfigurationError(f"the key file cannot be read: {reason}", hint="give the name of a file") from None
        raise ConfigurationError(f"the key file {name} cannot be read: {reason}") from None


def _run_command(command: str) -> str:
    try:
        words = shlex.split(command)
        done = subprocess.run(  # noqa: S603  # the person's own command, run without a shell
            words, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, timeout=_COMMAND_SECONDS, check=True
        )
        return done.stdout.decode("utf-8")
    except (ValueError, IndexError):
        raise ConfigurationError("--admin-key-command is not a command, or what it prints is not text") from None
    except OSError as error:
        raise ConfigurationError(f"--admin-key-command cannot be run: {error.strerror}") from None
    except subprocess.TimeoutExpired:
        raise ConfigurationError(f"--admin-key-command took more than {_COMMAND_SECONDS} s") from None
    except subprocess.CalledProcessError as error:
        raise ConfigurationError(f"--admin-key-command failed with exit code {error.returncode}") from None
