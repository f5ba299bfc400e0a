"""One language: words that are banned, openers of docstrings, and their length. Each failure lists every offender."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

TOP = Path(__file__).parents[1]
SOURCES = sorted((TOP / "archiver").rglob("*.py"))
TEXTS = [
    *SOURCES,
    *sorted((TOP / "archiver").rglob("*.sql")),
    *sorted((TOP / "archiver").rglob("*.html")),
    *sorted((TOP / "archiver").rglob("*.js")),
    *sorted((TOP / "archiver").rglob("*.css")),
    *sorted((TOP / "migrations").glob("*.sql")),
    *sorted((TOP / "docs").rglob("*.md")),
    *(TOP / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
]
SKIPPED = {"vega.js"}  # not ours

WORDS = [  # whole words, in names too: `told_by` is found, `untold` is not
    *("desk", "beside", "endurance", "setback", "nobody", "whose", "told", "doubt", "redraw", "distrust", "nursery"),
    *("spell", "spelled", "spells", "spelt", "sift", "sifted", "tend", "bury", "unasked", "lookback", "brake"),
]
PHRASES = [  # as they are
    *(
        "Course",
        "Trouble",
        "NOBODY",
        "Known",
        "claim_for",
        "take_back_future",
        "for_people",
        "for_programs",
        "dry_run.py",
    ),
    *(
        "speaks for",
        "speak for",
        "ready answer",
        "Ready answer",
        "ready question",
        "Prove ",
        "Prove it",
        "Twice is once",
    ),
    *("what can be had", "heal it", "the system refuses", "says otherwise"),
]
PATTERN = re.compile(
    "|".join(
        [
            *(rf"(?i:(?<![^\W_]){word}(?![^\W_]))" for word in WORDS),
            *(rf"(?<!\w){re.escape(phrase)}(?!\w)" for phrase in PHRASES),
        ]
    )
)
PLAIN = {
    ("organization.py", "desk"): "Support Desk is the name of an invented workspace",
    ("start.md", "desk"): "the same, in an output",
    ("README.md", "desk"): "the same, in an output",
}
"""File and word, in lower case, with the reason why it is the plain word there."""

OPENERS = ("Say ", "Give ", "Tell ", "Let ", "Take ")
LONGEST_FIRST_LINE = 72


def offences(path: Path) -> Iterator[str]:
    for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
        for match in PATTERN.finditer(line):
            if (path.name, match[0].lower()) not in PLAIN:
                yield f"{path.relative_to(TOP)}:{number}: {match[0]}"


def test_words_of_the_old_vocabulary_are_gone() -> None:
    found = [one for path in TEXTS if path.name not in SKIPPED for one in offences(path)]
    assert not found, "\n" + "\n".join(found)


def docstrings(path: Path) -> Iterator[tuple[int, str]]:
    """Return the docstrings of the module, its classes, and its public functions."""
    tree = ast.parse(path.read_text("utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            private = (
                not isinstance(node, ast.Module) and node.name.startswith("_") and not isinstance(node, ast.ClassDef)
            )
            text = ast.get_docstring(node)
            if text and not private:
                yield getattr(node, "lineno", 1), text


def test_the_first_line_of_a_docstring_is_short() -> None:
    found = [
        f"{path.relative_to(TOP)}:{line}: {len(first)} characters: {first}"
        for path in SOURCES
        for line, text in docstrings(path)
        if len(first := text.splitlines()[0]) > LONGEST_FIRST_LINE
    ]
    assert not found, "\n" + "\n".join(found)


def test_no_docstring_begins_with_a_word_that_hides_what_is_done() -> None:
    found = [
        f"{path.relative_to(TOP)}:{line}: {text.splitlines()[0]}"
        for path in SOURCES
        for line, text in docstrings(path)
        if text.startswith(OPENERS)
    ]
    assert not found, "\n" + "\n".join(found)


@pytest.mark.parametrize("text", ["told_by", "he was told", "Desk", "_NOBODY", "speaks for a day", "class Course:"])
def test_a_banned_word_is_found_in_prose_and_in_names(text: str) -> None:
    assert PATTERN.search(text)


@pytest.mark.parametrize("text", ["untold", "desktop", "trouble", "of course", "extend", "proved", "doubtless"])
def test_a_longer_word_is_not(text: str) -> None:
    assert not PATTERN.search(text)
