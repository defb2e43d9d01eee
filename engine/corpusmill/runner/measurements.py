"""Measurements that several filters of one pass want: found before the first row, made once where the rows allow it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

from corpusmill.dataset.hashing import canonical_json
from corpusmill.dataset.schema import SPLIT
from corpusmill.errors import OperatorError
from corpusmill.plugin.row_kinds import Filter
from corpusmill.plugin.verdicts import Verdicts, decide
from corpusmill.runner.chunk import Chunk


@dataclass(frozen=True)
class Shared:
    """A measurement with a number of its own; `last`: no step after this one wants it."""

    number: int
    last: bool

    def judge(self, operator: Filter, chunk: Chunk) -> tuple[Chunk, Verdicts]:
        """Judge by what an earlier step measured, or measure; return the chunk as the next step that wants it needs it.

        A chunk comes without the measurement to the first step, and where an operator between has re-cut the rows.
        """
        held = chunk.measured.get(self.number)
        verdicts = decide(operator.measure(chunk.batch) if held is None else held, operator.rules(), len(chunk))
        others = {number: one for number, one in chunk.measured.items() if number != self.number}
        if not self.last and verdicts.signals is not None:
            others[self.number] = verdicts.signals
        return chunk.with_measured(others), verdicts


def shared_measurements(operators: Sequence[Any]) -> dict[int, Shared]:
    """Return, by place in the chain, the filters that measure what another of them measures too.

    Equal are: the class, what the author declares (`Filter.measurement`), the text column, and every column that is
    read, in the version it has at that step. A cleaner or an augmenter makes new versions of everything, an
    annotator of what it adds.
    """
    keys: dict[int, Hashable] = {}
    rewritten, versions = 0, Counter[str]()
    for place, operator in enumerate(operators):
        if operator.kind == "filter" and _may_share(operator):
            columns = tuple((name, versions[name]) for name in operator.reads())
            declared = _declared(operator)
            if declared is not None:
                keys[place] = (type(operator), declared, operator.column, columns, rewritten)
        elif operator.kind in ("clean", "augment"):
            rewritten += 1
        versions.update([*operator.adds(), *([SPLIT] if operator.kind == "split" else [])])
    return _numbered(keys)


def _numbered(keys: dict[int, Hashable]) -> dict[int, Shared]:
    wanted = Counter(keys.values())
    numbers = {key: number for number, key in enumerate(key for key, steps in wanted.items() if steps > 1)}
    last = {key: place for place, key in keys.items()}
    return {place: Shared(numbers[key], last[key] == place) for place, key in keys.items() if key in numbers}


def _may_share(operator: Any) -> bool:
    """Batches of inexact operators are cut where each step saw its first row, so their numbers are each step's own.

    So are those of filters that judge in their own way, throw dice, or ask a model.
    """
    own_way = type(operator).judge is not Filter.judge
    return operator.exact and not (own_way or operator.uses_seed or operator.context.inputs)


def _declared(operator: Filter) -> bytes | None:
    declared = operator.measurement()
    try:
        return None if declared is None else canonical_json(declared)
    except TypeError as error:
        raise OperatorError(
            f"measurement() of {type(operator).__name__} is {declared!r}: {error}",
            where=f"step {operator.context.step}",
            expected="values of JSON (texts, numbers, lists, mappings by text), or None",
        ) from error
