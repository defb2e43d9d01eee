"""Whom and what a failure is about, in words: step and plugin, shard, attempt; and the operator that fails on all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from corpusmill.errors import ExecutorError, OperatorError
from corpusmill.runner.breadcrumb import Crumb
from corpusmill.runner.guard import CONSECUTIVE_FAILURES, FIRST_ROWS, check_command
from corpusmill.runner.unit import Unit


def shard_words(unit: Unit) -> str:
    """Name the shard a unit works on: its file and range, its files, or its part of a dataset."""
    source = unit.payload.get("source") or unit.payload
    ranges: list[list[Any]] = source.get("ranges") or []
    if len(ranges) == 1:
        name, _, start, stop, *_ = ranges[0]
        return f"shard {name!r} from {start} to {stop}"
    if ranges:
        return f"shard of {len(ranges)} files from {ranges[0][0]!r} on"
    if source.get("part"):
        digest, rows, *_ = source["part"]
        return f"shard {digest[:12]} of {rows} rows"
    if unit.kind == "write":
        return f"file {source['name']!r}"
    return f"{unit.kind} unit {unit.key[:12]}"


def death_words(unit: Unit, crumb: Crumb, step: str) -> str:
    """Say where a worker was when it died: `step`, where an operator was running, the shard, the attempt."""
    if crumb.called:
        rows = f", rows {crumb.first} to {crumb.last}" if crumb.last >= 0 else ""
        return f"{step}{rows}, {shard_words(unit)}, attempt {unit.attempts}"
    return f"{shard_words(unit)}, attempt {unit.attempts}, last seen: {crumb.phase}"


def placed(error: BaseException, unit: Unit, step: str) -> BaseException:
    """Return the error of a unit with shard and attempt added to where it says an operator failed, and `step`.

    A pass has several steps, and its errors say themselves which one failed.
    """
    if isinstance(error, OperatorError | ExecutorError):
        known = unit.kind == "pass" or str(error.where).startswith("step ")
        told = [None if known else step, error.where, shard_words(unit), f"attempt {unit.attempts + 1}"]
        error.where = ", ".join(one for one in told if one)
    return error


@dataclass
class _Streak:
    seen: int = 0
    failed: int = 0
    rows: int = 0
    shards: int = 0


@dataclass
class Breaker:
    """Stops a stage whose operator fails on everything, shard after shard, where no shard is long enough to tell.

    `steps`: id, `uses` and home (a plugin file or a module) of each step of the stage; what the reader (before `first`)
    turns away is the input's.
    """

    steps: list[tuple[str, str, str]]
    first: int = 0
    _streaks: dict[int, _Streak] = field(default_factory=dict)

    def take(self, unit: Unit, counts: Sequence[Mapping[str, Any]]) -> None:
        """Add the counts of a shard's steps; raise OperatorError where they show a broken operator."""
        for step in range(self.first, len(counts)):
            one, streak = counts[step], self._streaks.setdefault(step, _Streak())
            bad = sum(one["quarantined"].values())
            if not one["in"]:
                continue
            whole = bad == one["in"]
            streak.seen, streak.failed = streak.seen + one["in"], streak.failed + bad
            streak.rows, streak.shards = (streak.rows + bad, streak.shards + 1) if whole else (0, 0)
            at_first = streak.seen <= FIRST_ROWS and streak.failed > FIRST_ROWS // 2
            if streak.rows >= CONSECUTIVE_FAILURES or at_first:
                raise _broken(self.steps[step], streak, unit, one["quarantined"])


def _broken(step: tuple[str, str, str], streak: _Streak, unit: Unit, reasons: Mapping[str, int]) -> OperatorError:
    name, uses, home = step
    most = max(reasons, key=lambda reason: (reasons[reason], reason)) if reasons else "failed"
    row = f", {streak.rows} of them in a row in {streak.shards} shards" if streak.rows else ""
    return OperatorError(
        f"{uses} failed on {streak.failed} of {streak.seen} documents{row}; the last: {most}",
        where=f"step {name} ({uses}), {shard_words(unit)}, attempt {unit.attempts + 1}",
        expected="an operator that fails on few documents; these look like a fault of the operator",
        hint=check_command(uses, home),
    )
