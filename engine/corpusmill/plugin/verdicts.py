"""Decisions about rows: rules with thresholds over measured signals, and one verdict a row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from corpusmill.errors import OperatorError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

KEPT = -1


@dataclass(frozen=True)
class Rule:
    """Keep a row while its `signal` is on the right side of `threshold`; NaN and null count as a failure.

    `reason` is what the ledger and the funnel show; by default `signal`.
    """

    signal: str
    side: str  # "most" | "least"
    threshold: float
    reason: str = ""

    @property
    def name(self) -> str:
        """The reason that is counted and shown."""
        return self.reason or self.signal

    def fails(self, values: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
        """Return True for each value on the wrong side."""
        good = values <= self.threshold if self.side == "most" else values >= self.threshold
        failed: npt.NDArray[np.bool_] = ~good
        return failed


def at_most(signal: str, threshold: float, reason: str = "") -> Rule:
    """A rule that removes rows whose signal is above the threshold."""
    return Rule(signal, "most", float(threshold), reason)


def at_least(signal: str, threshold: float, reason: str = "") -> Rule:
    """A rule that removes rows whose signal is below the threshold."""
    return Rule(signal, "least", float(threshold), reason)


@dataclass(frozen=True)
class Verdicts:
    """One verdict a row: kept, or the first rule that failed with what was measured.

    `rule`: int32 (rows,), an index into `rules`, or KEPT. `value`: float64 (rows,), NaN where a rule has no number.
    `detail`: one string or None a row, or None altogether (the language found, the id of the kept duplicate).
    `signals`: name -> float64 (rows,), what was measured, for histograms and kept values; None where nothing was.
    """

    rules: tuple[Rule, ...]
    rule: npt.NDArray[np.int32]
    value: npt.NDArray[np.float64]
    detail: Sequence[str | None] | None = None
    signals: Mapping[str, npt.NDArray[np.float64]] | None = None

    @property
    def keep(self) -> npt.NDArray[np.bool_]:
        """Bool (rows,): True for each kept row."""
        kept: npt.NDArray[np.bool_] = self.rule == KEPT
        return kept


def decide(signals: Mapping[str, Any], rules: Sequence[Rule], rows: int) -> Verdicts:
    """Judge rows by rules in order; the first failing rule is the verdict.

    `signals`: name -> numbers, one a row (NumPy or Arrow arrays). Raises OperatorError for a rule on no
    signal and for a signal that has not one number a row.
    """
    import numpy as np

    if not isinstance(signals, Mapping):
        raise OperatorError(
            f"measure() returned {type(signals).__name__}", expected="a mapping of signal to one number a row"
        )
    rule = np.full(rows, KEPT, np.int32)
    value = np.full(rows, np.nan)
    numbers = {name: _as_float64(name, measured, rows) for name, measured in signals.items()}
    for index, one in enumerate(rules):
        if one.signal not in numbers:
            raise OperatorError(
                f"a rule asks for the signal {one.signal!r}, which measure() did not return",
                expected=f"one of {sorted(numbers)}",
            )
        measured = numbers[one.signal]
        failed = one.fails(measured) & (rule == KEPT)
        rule[failed] = index
        value[failed] = measured[failed]
    return Verdicts(tuple(rules), rule, value, signals=numbers)


def _as_float64(name: str, values: Any, rows: int) -> npt.NDArray[np.float64]:
    import numpy as np

    if hasattr(values, "to_numpy"):
        values = values.to_numpy(zero_copy_only=False)
    try:
        # A copy: the operator may fill its arrays again for the next batch, these are kept beyond it.
        numbers = np.array(values, np.float64)
    except (TypeError, ValueError) as error:
        raise OperatorError(f"the signal {name!r} holds no numbers: {error}", expected="one number a row") from error
    if numbers.shape != (rows,):
        raise OperatorError(
            f"the signal {name!r} has the shape {numbers.shape} for a batch of {rows} rows",
            expected="one number a row",
        )
    return numbers
