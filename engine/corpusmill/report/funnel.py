"""The funnel: where documents came from and went, step by step, computed from a run's counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from corpusmill.runner.records import sources

DOCUMENT_KINDS = ("read", "clean", "filter", "annotate", "augment", "split", "dedup", "mix")
"""Prefixes of `uses` whose counts are documents; what comes after (tokens, models) only reads them."""


@dataclass(frozen=True)
class StepCounts:
    """The counts of one step: rows in and out, made, taken out by reason, changed, and the seconds it took."""

    id: str
    uses: str
    rows_in: int = 0
    rows_out: int = 0
    added: int = 0
    removed: Mapping[str, int] = field(default_factory=dict)
    quarantined: Mapping[str, int] = field(default_factory=dict)
    changed: int | None = None
    seconds: float | None = None
    cut: Mapping[str, int] = field(default_factory=dict)
    """What a deduplicator of segments cut out of texts: documents, segments, bytes; empty of any other step."""

    @property
    def lost(self) -> int:
        """Rows removed by the step's rules."""
        return sum(self.removed.values())

    @property
    def reasons(self) -> list[tuple[str, int]]:
        """Why rows left, most frequent first; quarantined ones are marked as such."""
        reasons = list(self.removed.items())
        reasons += [(f"quarantined: {reason}", rows) for reason, rows in self.quarantined.items()]
        return sorted(reasons, key=lambda one: (-one[1], one[0]))

    @property
    def balances(self) -> bool:
        """Whether in + added = out + removed + quarantined."""
        return self.rows_in + self.added == self.rows_out + self.lost + sum(self.quarantined.values())


@dataclass(frozen=True)
class Funnel:
    """All document steps of a run in order, and their totals."""

    steps: tuple[StepCounts, ...]
    branches: bool = False
    """True where the plan says that two document steps read the same one."""

    @property
    def read(self) -> int:
        """Records the readers saw, damaged ones included."""
        return sum(step.rows_in for step in self.steps if step.uses.startswith("read."))

    @property
    def added(self) -> int:
        """Rows made by augmenters."""
        return sum(step.added for step in self.steps)

    @property
    def removed(self) -> int:
        """Rows removed by rules."""
        return sum(step.lost for step in self.steps)

    @property
    def quarantined(self) -> int:
        """Records put aside because they could not be read or worked on."""
        return sum(sum(step.quarantined.values()) for step in self.steps)

    @property
    def kept(self) -> int:
        """Rows left at the end: what the identity read + added = kept + removed + quarantined gives."""
        return self.read + self.added - self.removed - self.quarantined

    @property
    def is_line(self) -> bool:
        """False where steps branch, so that one document may count more than once and totals do not add up."""
        if self.branches or not self.steps or not all(step.balances for step in self.steps):
            return False
        return self.kept == self.steps[-1].rows_out

    @property
    def reasons(self) -> list[tuple[str, str, int]]:
        """All (step, reason, rows removed), most frequent first."""
        found = [(step.id, reason, rows) for step in self.steps for reason, rows in step.removed.items()]
        return sorted(found, key=lambda one: (-one[2], one[0], one[1]))


def build_funnel(outputs: Mapping[str, Any], plan: Mapping[str, Any] | None = None) -> Funnel:
    """Return the funnel of what `outputs.json` holds; steps whose counts are not documents are left out.

    `plan`: what `plan.json` holds; it tells whether steps branch.
    """
    counts: Mapping[str, Mapping[str, Any]] = outputs.get("counts") or {}
    return Funnel(
        tuple(
            StepCounts(
                id=step,
                uses=str(one.get("uses", "")),
                rows_in=_rows_in(one),
                rows_out=int(one.get("out") or 0),
                added=int(one.get("added") or 0) if not str(one.get("uses", "")).startswith("read.") else 0,
                removed=_numbers(one.get("removed")),
                quarantined=_numbers(one.get("quarantined")),
                changed=one.get("changed"),
                seconds=one.get("seconds"),
                cut=_numbers(one.get("cut")),
            )
            for step, one in counts.items()
            if _is_documents(one) or _is_export(one)
        ),
        _branches(plan or {}, counts),
    )


def _is_documents(step: Mapping[str, Any]) -> bool:
    return str(step.get("uses", "")).partition(".")[0] in DOCUMENT_KINDS


def _is_export(step: Mapping[str, Any]) -> bool:
    """Say whether a step writes files; one that has counts left documents out, and is part of the way of these."""
    return str(step.get("uses", "")).startswith("write.")


def _branches(plan: Mapping[str, Any], counts: Mapping[str, Any]) -> bool:
    every = [step for stage in plan.get("stages", []) for step in stage.get("steps", [])]
    steps = [step for step in every if _is_documents(step) or (_is_export(step) and step.get("id") in counts)]
    read = [source for step in steps for source in sources(step) or ()]
    return len(set(read)) < len(read)


def _rows_in(one: Mapping[str, Any]) -> int:
    """Rows in; a reader has none before it, so what it saw is what it let through and what it put aside."""
    if one.get("in") or not str(one.get("uses", "")).startswith("read."):
        return int(one.get("in") or 0)
    return int(one.get("out") or 0) + sum(sum(_numbers(one.get(word)).values()) for word in ("removed", "quarantined"))


def _numbers(reasons: Any) -> dict[str, int]:
    return {str(reason): int(rows) for reason, rows in (reasons or {}).items() if rows}
