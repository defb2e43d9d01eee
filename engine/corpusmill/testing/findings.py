"""What the kit found: one finding a claim, and the report of an operator, told like a compiler tells errors."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

PASSED, FAILED, SKIPPED = "passed", "failed", "skipped"
_SHOWN = 300
"""Longest value that a message shows whole."""


@dataclass(frozen=True)
class Finding:
    """One claim about one operator.

    `verdict`: passed, failed, or skipped (the claim does not apply, or stands on one that failed). `says`: the claim
    as a sentence. `seen`: what was seen, or why it was skipped. `input`: the smallest input that shows it. `where`:
    file and line in the plugin. `next`: what to do.
    """

    operator: str
    claim: str
    verdict: str
    says: str
    seen: str = ""
    input: str | None = None
    where: str | None = None
    next: str = ""

    def __str__(self) -> str:
        head = f"{self.where}: " if self.where else ""
        lines = [f"{head}{self.operator}: {self.verdict} {self.claim}"]
        if self.verdict != FAILED:
            return lines[0] + (f": {self.seen}" if self.seen else "")
        lines += [f"  seen: {self.seen}"]
        lines += [f"  smallest input: {self.input}"] if self.input is not None else []
        lines += [f"  expected: {self.says}"]
        lines += [f"  next: {self.next}"] if self.next else []
        return "\n".join(lines)


@dataclass(frozen=True)
class Report:
    """All findings about one operator, in the order of the claims; `options` are those it was tried with."""

    operator: str
    findings: tuple[Finding, ...]
    options: dict[str, Any]

    @property
    def failures(self) -> list[Finding]:
        """The claims that do not hold."""
        return [one for one in self.findings if one.verdict == FAILED]

    @property
    def ok(self) -> bool:
        """True where nothing failed."""
        return not self.failures

    def count(self, verdict: str) -> int:
        """How many claims have this verdict."""
        return sum(one.verdict == verdict for one in self.findings)

    def summary(self) -> str:
        """One line: how many claims hold, fail and do not apply."""
        held, failed, skipped = (self.count(verdict) for verdict in (PASSED, FAILED, SKIPPED))
        words = "1 claim holds" if held == 1 else f"{held} claims hold"
        return f"{self.operator}: {words}, {failed} failed, {skipped} skipped"

    def to_json(self) -> dict[str, Any]:
        """The report for tools."""
        return {
            "operator": self.operator,
            "ok": self.ok,
            "options": self.options,
            "findings": [asdict(one) for one in self.findings],
        }

    def __str__(self) -> str:
        return "\n".join([*map(str, self.failures), self.summary()])


@dataclass(frozen=True)
class Fault:
    """What a claim found wrong: `seen` in words, the smallest `input` that shows it, `where` in the plugin."""

    seen: str
    input: str | None = None
    where: str | None = None


class Broken(Exception):
    """Raised while an operator is tried: what it did breaks the claim of this id."""

    def __init__(self, claim: str, seen: str):
        super().__init__(claim, seen)
        self.claim, self.seen = claim, seen


class NotApplicable(Exception):
    """Raised by a claim that has nothing to say about this operator; the message says why."""


def shown(value: Any, limit: int = _SHOWN) -> str:
    """Return a value as a message shows it: its repr, long ones cut in the middle."""
    text = repr(value)
    if len(text) <= limit:
        return text
    return f"{text[: limit // 2]} … {text[-limit // 4 :]} ({len(text):,} characters)"


def shown_texts(texts: Iterable[str | None]) -> str:
    """Return texts as a list in a message, each as Python and JSON would write it."""
    words = ["null" if text is None else shown(text, 120) for text in texts]
    more = f", … ({len(words)} texts)" if len(words) > 6 else ""
    return f"[{', '.join(words[:6])}{more}]"


def as_json(reports: Iterable[Report]) -> str:
    """Return reports as one JSON array."""
    return json.dumps([report.to_json() for report in reports], indent=2, ensure_ascii=True, default=str)
