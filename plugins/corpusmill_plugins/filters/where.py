"""filter.where: keep documents by the values of their columns."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from pydantic import create_model, model_validator

from corpusmill import KEPT, CorpusmillError, Filter, Options, Rule, Verdicts, option

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

Value = str | bool | int | float
COMPARISONS = ("is", "is_not", "in", "not_in", "at_least", "at_most", "is_null")
_SIGNS = {"is_not": "is not", "not_in": "not in", "at_least": ">=", "at_most": "<="}


def _check(condition: Any) -> Any:
    given = [name for name in ("column", "all", "any", "not") if getattr(condition, name) is not None]
    if len(given) != 1:
        raise ValueError("expected exactly one of column, all, any, not")
    compared = [name for name in COMPARISONS if getattr(condition, name) is not None]
    if given == ["column"] and not compared:
        raise ValueError(f"expected a comparison beside column {condition.column!r}: one of {', '.join(COMPARISONS)}")
    if given != ["column"] and compared:
        raise ValueError(f"{compared[0]} needs a column beside it")
    if given[0] in ("all", "any") and not getattr(condition, given[0]):
        raise ValueError(f"{given[0]} needs at least one condition")
    return condition


# Options named `is`, `in`, `not` cannot be written in a class body; built this way they need no aliases, so the
# spec, the reference and the fingerprint all say the same word.
Condition: Any = create_model(
    "Condition",
    __base__=Options,
    __module__=__name__,
    __doc__="A comparison of one column (all given must hold), or a combination of conditions.",
    __validators__={"check": model_validator(mode="after")(_check)},
    **{  # type: ignore[arg-type]
        "column": (str | None, option(None, help="column to look at")),
        "is": (Value | None, option(None, help="keep rows with this value")),
        "is_not": (Value | None, option(None, help="keep rows with any other value; null counts as other")),
        "in": (list[Value] | None, option(None, help="keep rows with one of these values")),
        "not_in": (list[Value] | None, option(None, help="keep rows with none of these values; null is none of them")),
        "at_least": (float | None, option(None, help="keep rows with a number not below this")),
        "at_most": (float | None, option(None, help="keep rows with a number not above this")),
        "is_null": (bool | None, option(None, help="keep rows without (true) or with (false) a value")),
        "all": ("list[Condition] | None", option(None, help="conditions that must all hold")),
        "any": ("list[Condition] | None", option(None, help="conditions of which one must hold")),
        "not": ("Condition | None", option(None, help="condition that must not hold")),
    },
)
Condition.model_rebuild(_types_namespace={"Condition": Condition})


class Where(Filter):
    """Keep documents by the values of their columns.

    `{column: language, in: [en, zh]}`, or conditions combined by `all`, `any`, `not`. Logic is two-valued: a null (and
    a NaN in `at_least`, `at_most`) fulfils no positive comparison, and `is_not`, `not_in`, `not` are the exact
    opposites of theirs. The reason of a removed row is the comparison that failed, in words; parts of a top-level
    `all` are reasons of their own, in order. `detail` is the value found. Columns held against a number there are
    signals of their names.
    """

    class Options(Condition, Filter.Options):
        """A comparison of one column (all given must hold), or a combination of conditions."""

    def reads(self) -> tuple[str, ...]:
        """The columns the conditions name, in order of appearance."""
        return tuple(dict.fromkeys(_columns(self.options)))

    def parts(self) -> list[tuple[Any, str | None]]:
        """The conditions that decide one after the other: (condition, comparison or None for a combination)."""
        return list(_parts(self.options))

    def rules(self) -> list[Rule]:
        """One rule a part; only number comparisons have a threshold, the others have NaN."""
        return [_rule(condition, name) for condition, name in self.parts()]

    def judge(self, batch: pa.RecordBatch) -> Verdicts:
        """Return one verdict a row: the first part that does not hold."""
        import numpy as np

        rule = np.full(batch.num_rows, KEPT, np.int32)
        value = np.full(batch.num_rows, np.nan)
        detail: list[str | None] = [None] * batch.num_rows
        for index, (condition, name) in enumerate(self.parts()):
            holds = _holds(condition, batch) if name is None else _compare(condition, name, batch)
            failed = np.flatnonzero(~holds & (rule == KEPT))
            rule[failed] = index
            if len(failed):
                _tell(batch, tuple(dict.fromkeys(_columns(condition))), failed, value, detail)
        return Verdicts(tuple(self.rules()), rule, value, detail, self._signals(batch) or None)

    def _signals(self, batch: pa.RecordBatch) -> dict[str, npt.NDArray[np.float64]]:
        """Return the columns that a part holds against a number, float64 (rows,), NaN for null."""
        import numpy as np

        names = dict.fromkeys(one.column for one, name in self.parts() if name in ("at_least", "at_most"))
        columns = {name: _values(batch, name).to_numpy(zero_copy_only=False) for name in names}
        return {name: column.astype(np.float64) for name, column in columns.items()}


def _columns(condition: Any) -> Iterator[str]:
    if condition.column is not None:
        yield condition.column
    for inner in _inner(condition):
        yield from _columns(inner)


def _inner(condition: Any) -> list[Any]:
    negated = getattr(condition, "not")
    return [*(condition.all or ()), *(condition.any or ()), *([negated] if negated is not None else [])]


def _parts(condition: Any) -> Iterator[tuple[Any, str | None]]:
    if condition.column is not None:
        yield from ((condition, name) for name in COMPARISONS if getattr(condition, name) is not None)
    elif condition.all is not None:
        for inner in condition.all:
            yield from _parts(inner)
    else:
        yield condition, None


def _rule(condition: Any, name: str | None) -> Rule:
    if name in ("at_least", "at_most"):
        return Rule(condition.column, name[3:], float(getattr(condition, name)), _words(condition, name))
    return Rule(condition.column or "condition", "least", math.nan, _words(condition, name))


def _words(condition: Any, name: str | None = None) -> str:
    """Say a condition (or one comparison of it) as a phrase: `language in [en, zh]`."""
    if name is not None:
        wanted = getattr(condition, name)
        if name == "is_null":
            return f"{condition.column} is {'' if wanted else 'not '}null"
        listed = f"[{', '.join(map(str, wanted))}]" if isinstance(wanted, list) else f"{wanted}"
        return f"{condition.column} {_SIGNS.get(name, name)} {listed}"
    if condition.column is not None:
        names = [name for name in COMPARISONS if getattr(condition, name) is not None]
        return " and ".join(_words(condition, name) for name in names)
    if getattr(condition, "not") is not None:
        return f"not ({_words(getattr(condition, 'not'))})"
    joint = " and " if condition.all is not None else " or "
    return joint.join(f"({_words(inner)})" if len(_inner(inner)) else _words(inner) for inner in _inner(condition))


def _holds(condition: Any, batch: pa.RecordBatch) -> npt.NDArray[np.bool_]:
    import numpy as np

    if condition.column is not None:
        names = [name for name in COMPARISONS if getattr(condition, name) is not None]
        return np.logical_and.reduce([_compare(condition, name, batch) for name in names])
    if getattr(condition, "not") is not None:
        return ~_holds(getattr(condition, "not"), batch)
    join = np.logical_and if condition.all is not None else np.logical_or
    return join.reduce([_holds(inner, batch) for inner in _inner(condition)])


def _compare(condition: Any, name: str, batch: pa.RecordBatch) -> npt.NDArray[np.bool_]:
    """Return bool (rows,): does one comparison hold; raises CorpusmillError where types cannot be compared."""
    import pyarrow.compute as pc

    wanted, values = getattr(condition, name), _values(batch, condition.column)
    if name == "is_null":
        found = pc.equal(values.is_null(), wanted)
    elif name in ("at_least", "at_most"):
        compare = pc.greater_equal if name == "at_least" else pc.less_equal
        found = compare(*_comparable(condition.column, values, wanted))
    else:
        listed = wanted if isinstance(wanted, list) else [wanted]
        found = _equals_one(len(values), [_comparable(condition.column, values, one) for one in listed])
    holds = found.fill_null(False).to_numpy(zero_copy_only=False)
    return ~holds if name in ("is_not", "not_in") else holds


def _equals_one(rows: int, pairs: list[tuple[pa.Array, pa.Scalar]]) -> pa.Array:
    import pyarrow as pa
    import pyarrow.compute as pc

    found = pa.repeat(pa.scalar(False), rows)
    for values, one in pairs:
        found = pc.or_(found, pc.equal(values, one).fill_null(False))
    return found


def _values(batch: pa.RecordBatch, column: str) -> pa.Array:
    import pyarrow as pa

    values = batch.column(column)
    return values.dictionary_decode() if pa.types.is_dictionary(values.type) else values


def _comparable(column: str, values: pa.Array, wanted: Value) -> tuple[pa.Array, pa.Scalar]:
    """Return the column and the wanted value as what compares: text, numbers or truth values.

    Whole numbers compare as such: Arrow would refuse to hold one beyond 2**53 (a time in ns) against a float.
    """
    import pyarrow as pa

    kind = values.type
    text = pa.types.is_string(kind) or pa.types.is_large_string(kind)
    number = pa.types.is_integer(kind) or pa.types.is_floating(kind)
    if pa.types.is_boolean(kind) and isinstance(wanted, bool):
        return values, pa.scalar(wanted)
    if text and isinstance(wanted, str):
        return values, pa.scalar(wanted, kind)
    if number and isinstance(wanted, (int, float)) and not isinstance(wanted, bool):
        if pa.types.is_integer(kind) and float(wanted).is_integer():
            with suppress(pa.ArrowInvalid, OverflowError):  # where no value of the column is as large or small
                return values, pa.scalar(int(wanted), kind)
        return values.cast(pa.float64(), safe=False), pa.scalar(float(wanted))
    raise CorpusmillError(
        f"column {column!r} holds {values.type}, which cannot be compared with {wanted!r}",
        expected="text for text columns, numbers for number columns, true or false for boolean ones",
        hint=f"write the value as the column holds it, or compare another column than {column!r}",
    )


def _tell(
    batch: pa.RecordBatch,
    columns: tuple[str, ...],
    failed: npt.NDArray[np.int64],
    value: npt.NDArray[np.float64],
    detail: list[str | None],
) -> None:
    """Write down what was found in the failed rows: the number of a single column, and all values in words."""
    found = [_values(batch, column).take(failed).to_pylist() for column in columns]
    for row, values in zip(failed.tolist(), zip(*found, strict=True), strict=True):
        shown = ["null" if one is None else str(one) for one in values]
        if len(columns) == 1:
            detail[row] = shown[0]
            if isinstance(values[0], (int, float)) and not isinstance(values[0], bool):
                value[row] = values[0]
        else:
            detail[row] = ", ".join(f"{column}={one}" for column, one in zip(columns, shown, strict=True))
