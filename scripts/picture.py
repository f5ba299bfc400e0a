"""Draw docs/demo.svg: `archiver demo` in a pseudo-terminal, its screen written as SVG."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import sys
import tempfile
import termios
from itertools import groupby
from pathlib import Path

import pyte
from rich.console import Console
from rich.style import Style
from rich.terminal_theme import MONOKAI
from rich.text import Text

COLUMNS, LINES = 110, 50
TARGET = Path(__file__).parents[1] / "docs" / "demo.svg"
COMMAND = "archiver demo"

FORMAT = """\
<svg viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg" role="img">
<title>archiver demo in a terminal (invented data)</title>
<style>
.{unique_id}-matrix {{ font-family: "DejaVu Sans Mono", Menlo, Consolas, monospace; font-size: {char_height}px;
  line-height: {line_height}px; }}
.{unique_id}-title {{ font-size: 18px; font-weight: bold; font-family: sans-serif; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}"/>
</clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">{matrix}</g>
</g>
</svg>
"""


def run_on_terminal(folder: str) -> pyte.Screen:
    """Run the demo in a folder, and return the last screen of its terminal."""
    pid, descriptor = pty.fork()
    if pid == 0:
        os.chdir(folder)
        program = Path(sys.executable).with_name("archiver")
        os.environ.update(TERM="xterm-256color", COLUMNS=str(COLUMNS), LINES=str(LINES), PATH=str(program.parent))
        os.execv(program, ["archiver", "demo"])  # noqa: S606  # the program itself
    fcntl.ioctl(descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
    screen = pyte.Screen(COLUMNS, LINES)
    stream = pyte.ByteStream(screen)
    while chunk := read(descriptor):
        stream.feed(chunk)
    os.waitpid(pid, 0)
    return screen


def read(descriptor: int) -> bytes:
    """Return the next output, empty when the program has ended."""
    try:
        return os.read(descriptor, 65536)
    except OSError:
        return b""


def to_text(screen: pyte.Screen) -> Text:
    """Return the characters of a screen with their colours."""
    text = Text()
    for y in range(LINES):
        row = screen.buffer[y]
        line = Text()
        for style, cells in groupby((row[x] for x in range(COLUMNS)), key=style_of):
            line.append("".join(cell.data for cell in cells), style)
        line.rstrip()
        text.append(line).append("\n")
    text.rstrip()
    return text


def style_of(cell: pyte.screens.Char) -> Style:
    """Return the colour and weight of a character."""
    colour = None if cell.fg == "default" else cell.fg
    return Style(color=f"#{colour}" if colour and is_hex(colour) else colour, bold=cell.bold)


def is_hex(colour: str) -> bool:
    """Return whether a colour is six hexadecimal digits, and not a name."""
    return len(colour) == len("rrggbb") and all(c in "0123456789abcdef" for c in colour)


def main() -> None:
    """Draw the picture."""
    with tempfile.TemporaryDirectory() as folder:
        screen = run_on_terminal(folder)
    console = Console(width=COLUMNS, record=True, file=Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115
    console.print(Text(f"$ {COMMAND}", style="bold"))
    console.print(to_text(screen))
    svg = console.export_svg(title=COMMAND, theme=MONOKAI, code_format=FORMAT, unique_id="archiver")
    TARGET.write_text("\n".join(line.rstrip() for line in svg.splitlines()) + "\n", "utf-8")
    print(f"wrote {TARGET.name}")


if __name__ == "__main__":
    main()
