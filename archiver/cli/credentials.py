"""Read the admin key from a file, a command or the environment.

It is never an argument, because every user of a machine can list arguments.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

from archiver.api.key import AdminKey
from archiver.errors import ConfigurationError

VARIABLES = ("ANTHROPIC_ADMIN_API_KEY", "ANTHROPIC_ADMIN_KEY")
_COMMAND_SECONDS = 60  # time for a password manager to ask for its password


def find_key(key_file: str | None, key_command: str | None) -> AdminKey:
    """Read the key from the option that was set, or else from the environment.

    Raises:
        ConfigurationError: There is no key, or more than one source, or a source cannot be read.
    """
    if key_file is not None and key_command is not None:
        raise ConfigurationError("--admin-key-file and --admin-key-command are both set", hint="use one of them")
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
        "no admin key found",
        hint=f"set {VARIABLES[0]}, or use --admin-key-file FILE or --admin-key-command CMD; "
        "an administrator creates an admin key in the Console under Settings, Admin keys",
    )


def _read_file(name: str) -> str:
    try:
        return sys.stdin.read() if name == "-" else Path(name).read_text("utf-8")
    except UnicodeDecodeError:
        raise ConfigurationError(
            f"the key file {name} is not UTF-8 text", hint="the file contains the admin key and nothing else"
        ) from None
    except OSError as error:
        reason = error.strerror or type(error).__name__
        # The value may be the key itself by mistake: it must not reach a terminal or a log.
        if name.startswith("sk-"):
            raise ConfigurationError(
                f"cannot read the key file: {reason}", hint="--admin-key-file takes the name of a file, not a key"
            ) from None
        raise ConfigurationError(
            f"cannot read the key file {name}: {reason}", hint="check the path and the permissions of the file"
        ) from None


def _run_command(command: str) -> str:
    # Errors do not repeat the command or its output, which may contain the key.
    try:
        words = shlex.split(command)
        done = subprocess.run(  # noqa: S603  # the user's own command, run without a shell
            words, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, timeout=_COMMAND_SECONDS, check=True
        )
        return done.stdout.decode("utf-8")
    except (ValueError, IndexError):
        raise ConfigurationError("--admin-key-command is no valid command, or its output is not UTF-8 text") from None
    except OSError as error:
        raise ConfigurationError(
            f"cannot run --admin-key-command: {error.strerror}", hint="it runs without a shell: name a program"
        ) from None
    except subprocess.TimeoutExpired:
        raise ConfigurationError(f"--admin-key-command did not end within {_COMMAND_SECONDS} s") from None
    except subprocess.CalledProcessError as error:
        raise ConfigurationError(
            f"--admin-key-command failed with exit code {error.returncode}", hint="run it alone to see why"
        ) from None
