"""Counts of what each step did to its rows, and the identity that no row may escape."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from corpusmill.errors import OperatorError


@dataclass
class StepCounts:
    """Rows in and out of one step, with reasons; `changed` counts rewritten texts, `seconds` CPU time."""

    rows_in: int = 0
    rows_out: int = 0
    added: int = 0
    changed: int = 0
    removed: dict[str, int] = field(default_factory=dict)
    quarantined: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0

    def remove(self, reason: str, rows: int) -> None:
        """Count removed rows under a reason."""
        if rows:
            self.removed[reason] = self.removed.get(reason, 0) + rows

    def quarantine(self, reason: str, rows: int = 1) -> None:
        """Count quarantined rows under a reason."""
        self.quarantined[reason] = self.quarantined.get(reason, 0) + rows

    def merge(self, other: StepCounts) -> None:
        """Add another shard's counts of the same step."""
        self.rows_in += other.rows_in
        self.rows_out += other.rows_out
        self.added += other.added
        self.changed += other.changed
        self.seconds += other.seconds
        for reason, rows in other.removed.items():
            self.remove(reason, rows)
        for reason, rows in other.quarantined.items():
            self.quarantine(reason, rows)

    def check(self, step: str) -> None:
        """Raise OperatorError unless in + added = out + removed + quarantined."""
        gone = sum(self.removed.values()) + sum(self.quarantined.values())
        if self.rows_in + self.added != self.rows_out + gone:
            raise OperatorError(
                f"rows went missing in {step}: {self.rows_in} in + {self.added} added, "
                f"but {self.rows_out} out + {gone} removed or quarantined",
                expected="read + added = kept + removed + quarantined",
                hint="a plugin changed the number of rows where its kind must not; see corpusmill plugins show",
            )

    def to_json(self) -> dict[str, Any]:
        """Return the counts for records and reports; seconds are left to the journal, for records hold no time."""
        return {
            "in": self.rows_in,
            "out": self.rows_out,
            "added": self.added,
            "changed": self.changed,
            "removed": self.removed,
            "quarantined": self.quarantined,
        }

    @staticmethod
    def from_json(value: Mapping[str, Any]) -> StepCounts:
        """Read counts from a record."""
        return StepCounts(
            value["in"],
            value["out"],
            value["added"],
            value["changed"],
            dict(value["removed"]),
            dict(value["quarantined"]),
            value.get("seconds", 0.0),
        )


def merge_counts(records: Iterable[list[Mapping[str, Any]]]) -> list[StepCounts]:
    """Return the sum over shards of each step's counts, steps by position."""
    totals: list[StepCounts] = []
    for steps in records:
        for index, counts in enumerate(steps):
            if index == len(totals):
                totals.append(StepCounts())
            totals[index].merge(StepCounts.from_json(counts))
    return totals
