"""Decisions about one document: what each step of a run did with it, and by which measured value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Signal:
    """One measured value beside the threshold it was held against."""

    name: str
    value: float | None
    threshold: float | None = None
    side: str = ""
    """`most` or `least`: on which side of the threshold a document stays."""
    passed: bool = True


@dataclass(frozen=True)
class StepDecision:
    """What one step did with the document.

    `verdict`: kept, changed, removed, quarantined, or unknown where it was not measured again. `rule`, `value`,
    `threshold`, `detail` and `other` (the id of the kept duplicate) say why it was removed; `signals` is everything
    the step measured, `before` and `after` the text where the step rewrote it, `columns` the values it read or made
    (JSON values). `note` says what stood in the way of measuring again, or that it gave something else than the run.
    """

    step: str
    uses: str
    verdict: str
    rule: str | None = None
    value: float | None = None
    threshold: float | None = None
    detail: str | None = None
    other: str | None = None
    signals: tuple[Signal, ...] = ()
    before: str | None = None
    after: str | None = None
    columns: tuple[tuple[str, Any], ...] = ()
    note: str | None = None


@dataclass(frozen=True)
class TokenPlace:
    """Where a document's tokens stand in what a step packed.

    `split`: its label ('' without labels). `part` and `document`: the file, and the document's number over all files,
    both from 0. `tokens`: how many it has, its end token included. `windows`: the windows of that split (from 0, of
    `of` in all) that hold some of them; `before`: tokens of other documents in front of it in the first window.
    """

    step: str
    split: str
    part: int
    document: int
    tokens: int
    windows: tuple[int, ...]
    before: int
    of: int


@dataclass(frozen=True)
class Fate:
    """One document's way through a run: who it is, the decisions in order, and how it ended.

    `outcome`: removed, kept (it stands in the datasets `found_in`), or quarantined.
    """

    id: str
    file: str | None
    offset: int | None
    outcome: str
    decisions: tuple[StepDecision, ...]
    found_in: tuple[str, ...] = ()
    tokens: tuple[TokenPlace, ...] = ()
    """Its places in token sets, of a document that was kept."""
