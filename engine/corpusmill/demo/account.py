"""The account: what a demonstration says while it goes on, line by line, with a moving line below on a terminal."""

from __future__ import annotations

import textwrap
import time
from collections.abc import Callable, Sequence
from typing import Any, TextIO

from corpusmill.report.plain import duration, table, visible

GOOD, KILL, AGAIN, NOTE = ("✓", "green"), ("✗", "bold red"), ("↻", "cyan"), (" ", "")
_MARGIN = 9
"""Cells of time and mark that stand before a text."""
_PLAIN_WIDTH = 100


class Account:
    """Prints to a stream; colours follow NO_COLOR and whether the stream is a terminal."""

    def __init__(self, stream: TextIO, now: Callable[[], float] = time.monotonic) -> None:
        from rich.console import Console

        self._console = Console(file=stream, highlight=False, markup=False, emoji=False)
        self._now, self._began = now, now()
        self._status: Any = None
        self._said = ""

    @property
    def width(self) -> int:
        """Columns to fill."""
        return min(120, self._console.width) if self._console.is_terminal else _PLAIN_WIDTH

    @property
    def seconds(self) -> float:
        """Seconds since the last title."""
        return self._now() - self._began

    @property
    def elapsed(self) -> str:
        """The same, as people say it."""
        return duration(self.seconds)

    def title(self, text: str) -> None:
        """Begin a part: its clock starts at nought."""
        self.close()
        self._began = self._now()
        self._print()
        self._print(text, "bold")

    def rows(self, rows: Sequence[Sequence[str]], right: str = "") -> None:
        """Print rows as columns."""
        for line in table([[visible(cell) for cell in row] for row in rows], right):
            self._print(line)

    def raw(self, text: str = "", style: str = "") -> None:
        """Print a line as it is, for commands to copy: it is not broken."""
        self._print(text, style)

    def paragraph(self, text: str, style: str = "") -> None:
        """Print a text, broken at words."""
        for line in textwrap.wrap(visible(text), self.width, break_long_words=False, break_on_hyphens=False):
            self._print(line, style)

    def say(self, kind: tuple[str, str], text: str) -> None:
        """Print what happened: when, a mark, the text broken at words."""
        from rich.text import Text

        mark, style = kind
        lines = textwrap.wrap(visible(text), self.width - _MARGIN, break_long_words=False, break_on_hyphens=False)
        head = Text(f"{clock(self.seconds):>6} ", style="dim")
        head.append(f"{mark} ", style=f"not dim {style}")
        head.append(lines[0] if lines else "", style=f"not dim {style if style != 'green' else ''}".strip())
        self._console.print(head, soft_wrap=True)
        for line in lines[1:]:
            self._print(" " * _MARGIN + line)

    def status(self, text: str) -> None:
        """Show where things are on the line that moves; nothing where there is no terminal."""
        if not self._console.is_terminal or text == self._said:
            return
        from rich.text import Text

        self._said = text
        shown = Text(visible(text, max(10, self.width - 4)), style="dim")
        if self._status is None:
            self._status = self._console.status(shown, spinner="dots")
            self._status.start()
        else:
            self._status.update(shown)

    def close(self) -> None:
        """Take the moving line away; harmless when there is none."""
        if self._status is not None:
            self._status.stop()
        self._status, self._said = None, ""

    def _print(self, text: str = "", style: str = "") -> None:
        from rich.text import Text

        self._console.print(Text(text, style=style), soft_wrap=True)


def clock(seconds: float) -> str:
    """75 -> '1:15'."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
