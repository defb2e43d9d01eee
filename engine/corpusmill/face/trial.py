"""A trial: one operator on a few documents, one by one, with all that it measured, changed and raised."""

from __future__ import annotations

import linecache
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa

from corpusmill.plugin.local import LocalPlugin
from corpusmill.runner.applied import APPLY
from corpusmill.runner.chunk import Chunk
from corpusmill.runner.decision import StepDecision
from corpusmill.runner.replay_steps import replay_step
from corpusmill.testing.attempt import Raised, attempt, display_path
from corpusmill.testing.shrinking import smallest

SHRUNK = 3
"""Failures of different kinds whose text is made small; more of them help nobody."""


@dataclass(frozen=True)
class Failure:
    """What an operator raised on a document: the words, file and line in its own code, the line itself.

    `smallest`: the smallest text found that makes it raise the same at the same place; None where a null text does.
    `same_as`: the number of an earlier document that it failed on in the same way; then nothing was made small.
    """

    words: str
    where: str | None
    line: str = ""
    smallest: str | None = None
    same_as: int | None = None


@dataclass(frozen=True)
class Made:
    """One document that an augmenter made, or left: what was done (None: nothing) and its text."""

    deed: str | None
    text: str


@dataclass(frozen=True)
class Tried:
    """One document of a trial: who it is, its text as it came in, and what became of it.

    `decision.verdict`: kept, changed, removed, grown (by an augmenter; `made` lists the rows) or failed.
    """

    number: int
    id: str
    file: str
    offset: int | None
    text: str | None
    decision: StepDecision
    failure: Failure | None = None
    made: tuple[Made, ...] = ()


@dataclass(frozen=True)
class Passed:
    """A step before the one that is looked at, and its counts over the sample."""

    step: str
    uses: str
    counts: Mapping[str, Any]


@dataclass(frozen=True)
class Trial:
    """What one step does to each document of a sample that reaches it.

    `before`: the steps on the way. `rejected`: records that the readers turned away. `damaged`: files left out.
    """

    step: str
    uses: str
    tried: tuple[Tried, ...]
    before: tuple[Passed, ...] = ()
    rejected: tuple[Mapping[str, Any], ...] = ()
    damaged: tuple[str, ...] = ()


Announce = Callable[[str, Tried | None], None]
"""Called before an operator is, with its `uses` and the document that comes next; None while it is set up."""


def unannounced(uses: str, one: Tried | None) -> None:
    """Announce nothing: the operator is trusted with this process."""


def try_rows(
    operator: Any,
    uses: str,
    table: pa.Table,
    local: tuple[LocalPlugin, ...] = (),
    announce: Announce = unannounced,
) -> list[Tried]:
    """Return what an operator makes of each row alone; a row it fails on stands in no other's way.

    `table` has the engine's columns. `local`: plugin files, for the lines of those that raise. Deduplicators are only
    asked for their sketch of each row.
    """
    tried: list[Tried] = []
    failures: dict[tuple[type[BaseException], str | None], int] = {}
    for number, row in enumerate(single_rows(table)):
        one = who(number, row, operator.column, StepDecision(operator.context.step, uses, "kept"))
        announce(uses, one)
        done = attempt(type(operator), partial(_tried, operator, one, row))
        if not isinstance(done, Raised):
            tried.append(done)
            continue
        key = (type(done.error), done.where)
        first = failures.setdefault(key, number)
        shrinks = first == number and len(failures) <= SHRUNK
        small = _smallest(operator, row, done, partial(_announced, announce, uses, one)) if shrinks else None
        where, line = place_and_line(type(operator), done.where, local)
        failure = Failure(done.words, where, line, small, None if first == number else first)
        tried.append(replace(one, decision=replace(one.decision, verdict="failed"), failure=failure))
    return tried


def _announced(announce: Announce, uses: str, one: Tried, text: str | None) -> None:
    announce(uses, replace(one, text=text))


def who(number: int, row: pa.RecordBatch, column: str, decision: StepDecision) -> Tried:
    """Return the document of a batch of one row, with a decision about it."""
    values = {name: row.column(name)[0].as_py() for name in ("id", "file", "offset", column)}
    return Tried(number, str(values["id"]), values["file"] or "", values["offset"], values[column], decision)


def single_rows(table: pa.Table) -> Iterator[pa.RecordBatch]:
    """Yield each row of a table as a batch."""
    for batch in table.to_batches():
        for row in range(batch.num_rows):
            yield batch.slice(row, 1)


def _tried(operator: Any, one: Tried, row: pa.RecordBatch) -> Tried:
    if operator.kind == "dedup":
        operator.sketch(row)
        return one
    if operator.kind == "augment":
        made = _grown(operator, row)
        grew = any(each.deed is not None for each in made) or len(made) != 1
        return replace(one, made=made, decision=replace(one.decision, verdict="grown" if grew else "kept"))
    done = replay_step(operator, one.decision.step, one.decision.uses, row, one.id)
    return replace(one, decision=done.decision)


def _grown(operator: Any, row: pa.RecordBatch) -> tuple[Made, ...]:
    batch = APPLY["augment"](operator, Chunk(row, np.zeros(1, np.int64))).kept.batch
    texts, deeds = batch.column(operator.column).to_pylist(), batch.column("augmentation").to_pylist()
    return tuple(Made(deed, text or "") for deed, text in zip(deeds, texts, strict=True))


def _smallest(operator: Any, row: pa.RecordBatch, raised: Raised, announce: Callable[[str | None], None]) -> str | None:
    """Return the smallest text that makes the operator raise the same at the same place."""
    text = row.column(operator.column)[0].as_py()
    if text is None:
        return None
    place = row.schema.get_field_index(operator.column)
    field = row.schema.field(place)

    one = who(0, row, operator.column, StepDecision("", "", "kept"))

    def fails(texts: list[str | None]) -> bool:
        announce(texts[0])
        other = row.set_column(place, field, pa.array(texts, field.type))
        again = attempt(type(operator), lambda: _tried(operator, one, other))
        return isinstance(again, Raised) and (type(again.error), again.where) == (type(raised.error), raised.where)

    return smallest([text], fails)[0]


def place_and_line(operator: type[Any], where: str | None, local: tuple[LocalPlugin, ...]) -> tuple[str | None, str]:
    """Return `file:line` as the user knows the file, and the source line.

    Of a plugin file it is the line as it was when it was imported. Equal files are one module, which carries the name
    that it was first imported by: the name that counts is that of `local`.
    """
    file, _, number = (where or "").rpartition(":")
    if not number.isdigit():
        return where, ""
    for plugin in local:
        if plugin.module == operator.__module__:
            lines = plugin.source.decode("utf-8", "replace").splitlines()
            line = lines[int(number) - 1].strip() if int(number) <= len(lines) else ""
            return f"{display_path(os.path.normpath(plugin.name))}:{number}", line
    return where, linecache.getline(file, int(number)).strip()
