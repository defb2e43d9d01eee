"""Problems of a spec: where each stands, what was expected, and how it is shown, as compilers do."""

from __future__ import annotations

import re
import shlex
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field

from corpusmill.errors import nearest
from corpusmill.spec.secrets import redact

Path = tuple[str | int, ...]

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")
_WIDEST_EXCERPT = 140
MOST = 100
"""Problems that are told: whoever has so many mends those first, and a bomb of them costs no time."""


@dataclass(frozen=True)
class Mark:
    """A place: line and column (from 1; 0 = no text, only a path), length in characters, path in the document.

    `origin` names another source than the spec file: a profile, or the `--set` the value came from.
    """

    line: int = 0
    column: int = 0
    length: int = 1
    path: Path = ()
    origin: str = ""

    @property
    def where(self) -> str:
        """The path as people write it: `steps[3].with.size`."""
        text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in self.path)
        return text.removeprefix(".")

    @property
    def order(self) -> tuple[int, int, int]:
        """Sorts by position; places without a line go by the step they are in."""
        steps = [part for part in self.path[1:2] if isinstance(part, int)]
        line = self.line or (steps[0] + 1 if steps else 0)
        return (1 if self.origin else 0, line, self.column)


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with a spec; `str()` shows it with its line and a caret."""

    what: str
    file: str = ""
    line: int = 0
    column: int = 0
    step: str | None = None
    expected: str | None = None
    nearest: str | None = None
    hint: str | None = None
    path: str = ""
    excerpt: str = ""
    length: int = 1
    order: tuple[int, int, int] = (0, 0, 0)

    def __str__(self) -> str:
        lines = [f"{self._place()}: error: {self.what}", *self._excerpt()]
        notes = [("expected", self.expected), ("nearest", self.nearest), ("next", self.hint)]
        lines += [f"  {name}: {text}" for name, text in notes if text]
        return printable("\n".join(lines))

    def to_json(self) -> dict[str, object]:
        """The problem as JSON-able values, without the excerpt."""
        names = ("what", "file", "line", "column", "path", "step", "expected", "nearest", "hint")
        return {name: getattr(self, name) for name in names if getattr(self, name) not in (None, "", 0)}

    def _place(self) -> str:
        step = f" (step {self.step!r})" if self.step else ""
        if self.line:
            return f"{self.file}:{self.line}:{self.column}{step}"
        return ": ".join(part for part in (self.file, self.path) if part) + step

    def _excerpt(self) -> list[str]:
        if not self.line or not self.excerpt.strip():
            return []
        text, column = _window(self.excerpt, self.column - 1)
        text = text.expandtabs(1)
        number = str(self.line)
        before = sum(_width(letter) for letter in text[:column])
        marked = text[column : column + self.length]
        caret = "^" * max(1, sum(_width(letter) for letter in marked))
        return [f"  {number} | {text}", f"  {' ' * len(number)} | {' ' * before}{caret}"]


@dataclass
class Problems:
    """Collects problems and knows the texts they stand in, so that each can show its line."""

    file: str = ""
    lines: list[str] = field(default_factory=list)
    found: list[Problem] = field(default_factory=list)
    sources: dict[str, list[str]] = field(default_factory=dict)
    """Lines of other sources by `Mark.origin`."""
    redacted: dict[str, str] = field(default_factory=dict)
    """Secret value -> what is shown in its place."""
    more: int = 0
    """Problems beyond the first hundred, which are only counted."""
    silenced: set[Path] = field(default_factory=set)
    """Places whose value is already known to be wrong: what else is said about them is only confusing."""

    def add(
        self,
        what: str,
        mark: Mark | None = None,
        *,
        step: str | None = None,
        expected: str | None = None,
        near: str | None = None,
        hint: str | None = None,
    ) -> None:
        """Record one problem at a mark; values of environment variables are replaced by their names."""
        if self.full:
            self.more += 1
            return
        mark = mark or Mark()
        if any(mark.path[:length] in self.silenced for length in range(1, len(mark.path) + 1)):
            return
        lines = self.sources.get(mark.origin, []) if mark.origin else self.lines
        excerpt = lines[mark.line - 1] if 0 < mark.line <= len(lines) else ""
        problem = Problem(
            what=self.redact(what) or "",
            file=mark.origin or self.file,
            line=mark.line,
            column=mark.column,
            step=step,
            expected=self.redact(expected),
            nearest=self.redact(near),
            hint=self.redact(hint or (f"write {near}" if near else self._again(mark))),
            path=mark.where,
            excerpt=self.redact(excerpt) or "",
            length=mark.length,
            order=mark.order,
        )
        if problem not in self.found:
            self.found.append(problem)

    def _again(self, mark: Mark) -> str | None:
        """Return what to type after a change that the problem itself describes; there is a file to change."""
        return (
            f"change that, then: corpusmill check {shlex.quote(self.file)}" if mark.line and not mark.origin else None
        )

    @property
    def full(self) -> bool:
        """Whether so much is wrong that nothing more is told."""
        return len(self.found) >= MOST

    def silence(self, mark: Mark) -> None:
        """Say nothing more about the value at this place."""
        if mark.path:
            self.silenced.add(mark.path)

    def unknown(self, kind: str, name: str, known: Iterable[str], mark: Mark, step: str | None = None) -> None:
        """Record a name that is not one of the known ones, with the nearest."""
        if self.full:
            self.more += 1
            return
        names = sorted(known)
        expected = f"one of {', '.join(names)}" if names else "nothing here"
        self.add(f"unknown {kind} {name!r}", mark, step=step, expected=expected, near=nearest(name, names))

    def redact(self, text: str | None) -> str | None:
        """Replace secret values by the substitution that brought them in."""
        return redact(text, self.redacted) if text else text

    def sorted(self) -> list[Problem]:
        """All problems by position; those without one keep their order and come first."""
        found = sorted(self.found, key=lambda problem: problem.order)
        if self.more:
            what = f"there may be {self.more:,} more problems"
            found.append(Problem(what, self.file, expected=f"at most {MOST}", hint="mend those above first"))
        return found


def printable(text: str) -> str:
    """Return text without terminal control and direction-changing characters, which could forge what is shown."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)


def _width(letter: str) -> int:
    if unicodedata.combining(letter):
        return 0
    return 2 if unicodedata.east_asian_width(letter) in "WF" else 1


def _window(text: str, column: int) -> tuple[str, int]:
    """Cut a long line around the column, so that excerpts stay on one row of a terminal."""
    if len(text) <= _WIDEST_EXCERPT:
        return text, column
    start = max(0, min(column - 40, len(text) - _WIDEST_EXCERPT))
    head = "…" if start else ""
    tail = "…" if start + _WIDEST_EXCERPT < len(text) else ""
    return head + text[start : start + _WIDEST_EXCERPT] + tail, column - start + len(head)
