"""Applying one operator to rows at hand: no spec, no store, no run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from os import PathLike
from typing import Any, overload

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from corpusmill.dataset.schema import SPLIT
from corpusmill.errors import CorpusmillError, OperatorError, UsageError
from corpusmill.face.applied import (
    Annotated,
    Cleaned,
    Deduplicated,
    Grown,
    Judged,
    Labelled,
    Verdict,
)
from corpusmill.face.chosen import DOCUMENT_KINDS, Bound, Chosen, build, checked_options, choose
from corpusmill.face.rows import as_table, with_engine_columns, without_engine_columns
from corpusmill.face.trial import place_and_line
from corpusmill.plugin.dedup_kind import Deduplicator
from corpusmill.plugin.operator import Operator
from corpusmill.plugin.row_kinds import Annotator, Augmenter, Cleaner, Filter, Splitter
from corpusmill.plugin.verdicts import Verdicts, decide
from corpusmill.runner.applied import APPLY
from corpusmill.runner.applied import Applied as Made
from corpusmill.runner.chain import INEXACT_ROWS
from corpusmill.runner.chunk import Chunk, fixed_rows, numbered
from corpusmill.runner.records import DEFAULT_STORE
from corpusmill.testing.attempt import place_of_error

_BATCH_BYTES = 8 << 20
AnyResult = Judged | Cleaned | Annotated | Labelled | Grown | Deduplicated


@overload
def apply(operator: type[Filter], texts: Any, /, **options: Any) -> Judged: ...
@overload
def apply(operator: type[Cleaner], texts: Any, /, **options: Any) -> Cleaned: ...
@overload
def apply(operator: type[Annotator], texts: Any, /, **options: Any) -> Annotated: ...
@overload
def apply(operator: type[Splitter], texts: Any, /, **options: Any) -> Labelled: ...
@overload
def apply(operator: type[Augmenter], texts: Any, /, **options: Any) -> Grown: ...
@overload
def apply(operator: type[Deduplicator], texts: Any, /, **options: Any) -> Deduplicated: ...
@overload
def apply(operator: str | PathLike[str] | type[Operator], texts: Any, /, **options: Any) -> AnyResult: ...
def apply(
    operator: str | PathLike[str] | type[Operator],
    texts: Any,
    /,
    *,
    text_column: str = "text",
    seed: int = 0,
    inputs: Mapping[str, Bound] | None = None,
    plugins: Sequence[str] = (),
    store: str | PathLike[str] = DEFAULT_STORE,
    **options: Any,
) -> AnyResult:
    """Apply one operator to texts: `corpusmill.apply("filter.length", texts, min_words=5)`.

    `operator`: a name as after `uses:`, a plugin file that registers one, or a class. `texts`: a list of str (and
    None), an Arrow array, a table, record batch or DataFrame with a text column, or a Dataset. `options`: those of
    the operator, as after `with:`. `inputs`: what else it takes, by port: `{"model": "run:sentiment/finetune"}` or a
    folder; references are looked up in `store`. `plugins`: plugin files to find the name in. Everything is done in
    this process and in memory; random choices depend on `seed` and on the rows' `id`, or their numbers without one.

    Returns one type a kind, all with `.kept`, `.texts`, `.table` and `.rows`: Judged (filter), Cleaned, Annotated,
    Labelled (split), Grown (augment), Deduplicated. Raises SpecError for wrong options, PluginError, UsageError, and
    OperatorError with the plugin's line and the row where the operator raises.
    """
    chosen = choose(operator, plugins=plugins, hint="corpusmill.apply({!r}, texts, plugins=[FILE])")
    if chosen.kind not in DOCUMENT_KINDS:
        raise UsageError(f"{chosen.uses} does not work on rows", expected=f"a kind among {', '.join(DOCUMENT_KINDS)}")
    checked = checked_options(chosen, options)
    table = as_table(texts, text_column)
    if chosen.kind == "dedup":
        from corpusmill.face.deduplication import deduplicated

        return deduplicated(chosen, checked, table, text_column, seed)
    built = build(chosen, checked, column=text_column, seed=seed, inputs=inputs, store=str(store))
    return _RESULTS[chosen.kind](chosen, built, table)


def needed_columns(uses: str, operator: Any, columns: Sequence[str]) -> None:
    """Raise UsageError where the operator reads a column that is not there."""
    for name in operator.reads():
        if name not in columns:
            raise UsageError(
                f"{uses} reads the column {name!r}, which is not there",
                expected=f"a table with it; there are {', '.join(columns)}",
            )


def _chunks(chosen: Chosen, operator: Any, table: pa.Table) -> Iterator[Chunk]:
    full = with_engine_columns(table)
    needed_columns(chosen.uses, operator, full.column_names)
    chunks = numbered((batch for batch in full.to_batches(8192) if batch.num_rows), _BATCH_BYTES)
    return chunks if operator.exact else fixed_rows(chunks, INEXACT_ROWS)


def _called(chosen: Chosen, operator: Any, chunk: Chunk, call: Callable[[Chunk], Any]) -> Any:
    """Return what the call gives; what it raises is told with the plugin's line and the first row that shows it."""
    try:
        return call(chunk)
    except CorpusmillError:
        raise
    except Exception as error:
        row = next((at for at in range(len(chunk)) if _raises(call, chunk.slice(at, at + 1))), None)
        which = f"row {chunk.rows[row]}" if row is not None else f"rows {chunk.rows[0]} to {chunk.rows[-1]} together"
        kind = type(operator)
        place, _ = place_and_line(kind, place_of_error(kind, error), chosen.local)
        raise OperatorError(
            f"{chosen.uses} raised {type(error).__name__}: {error}",
            where=f"{place}, {which}",
            expected="an operator that raises on no text",
            hint="corpusmill try FILE --on DATA shows the smallest text that does it",
        ) from error


def _raises(call: Callable[[Chunk], Any], chunk: Chunk) -> bool:
    try:
        call(chunk)
    except Exception:  # noqa: BLE001 - a stranger's operator may raise anything
        return True
    return False


def _made(chosen: Chosen, operator: Any, table: pa.Table) -> list[Made]:
    """Return what became of each chunk of the table."""
    apply_one = APPLY[chosen.kind]
    return [
        _called(chosen, operator, one, lambda chunk: apply_one(operator, chunk))
        for one in _chunks(chosen, operator, table)
    ]


def _rows_left(operator: Any, table: pa.Table, made: Sequence[Made]) -> tuple[pa.Table, np.ndarray]:
    """Return the rows that are left, without the engine's columns unless they were given, and where each is from."""
    if made:
        left = pa.Table.from_batches([one.kept.batch for one in made])
    else:
        left = with_engine_columns(table)
        for name, kind in operator.adds().items():
            left = left.append_column(name, pa.nulls(0, kind)) if name not in left.column_names else left
    rows = np.concatenate([np.zeros(0, np.int64), *(one.kept.rows for one in made)])
    return without_engine_columns(left, table.column_names), rows


def _judged(chosen: Chosen, operator: Any, table: pa.Table) -> Judged:
    measures = type(operator).judge is Filter.judge
    verdicts: list[Verdict] = []
    masks: list[Any] = [np.zeros(0, bool)]
    signals: dict[str, list[Any]] = {}

    def judge(chunk: Chunk) -> tuple[Mapping[str, Any], Verdicts]:
        measured = operator.measure(chunk.batch) if measures else {}
        return measured, decide(measured, operator.rules(), len(chunk)) if measures else operator.judge(chunk.batch)

    for chunk in _chunks(chosen, operator, table):
        measured, judged = _called(chosen, operator, chunk, judge)
        verdicts += verdict_list(judged)
        masks.append(judged.keep)
        for name, values in measured.items():
            signals.setdefault(name, []).append(_numbers(values))
    mask = np.concatenate(masks)
    return Judged(
        chosen.uses,
        table.num_rows,
        table.filter(pa.array(mask)),
        np.flatnonzero(mask),
        operator.column,
        verdicts,
        {name: np.concatenate(values) for name, values in signals.items()},
    )


def _cleaned(chosen: Chosen, operator: Any, table: pa.Table) -> Cleaned:
    made = _made(chosen, operator, table)
    left, rows = _rows_left(operator, table, made)
    verdicts = [verdict for one in made for verdict in _verdicts_of(one)]
    changed = np.zeros(table.num_rows, bool)
    before = table.column(operator.column).take(pa.array(rows))
    differs = pc.fill_null(pc.not_equal(before, left.column(operator.column).cast(before.type)), False)
    changed[rows] = differs.to_numpy()
    return Cleaned(chosen.uses, table.num_rows, left, rows, operator.column, verdicts, changed)


def _annotated(chosen: Chosen, operator: Any, table: pa.Table) -> Annotated:
    left, rows = _rows_left(operator, table, _made(chosen, operator, table))
    columns = {name: left.column(name) for name in operator.adds()}
    return Annotated(chosen.uses, table.num_rows, left, rows, operator.column, columns)


def _labelled(chosen: Chosen, operator: Any, table: pa.Table) -> Labelled:
    left, rows = _rows_left(operator, table, _made(chosen, operator, table))
    labels = left.column(SPLIT).to_pylist() if SPLIT in left.column_names else []
    return Labelled(chosen.uses, table.num_rows, left, rows, operator.column, labels)


def _grown(chosen: Chosen, operator: Any, table: pa.Table) -> Grown:
    left, rows = _rows_left(operator, table, _made(chosen, operator, table))
    made_by = left.column("augmentation").to_pylist() if "augmentation" in left.column_names else []
    return Grown(chosen.uses, table.num_rows, left, rows, operator.column, made_by)


_RESULTS: dict[str, Callable[[Chosen, Any, pa.Table], AnyResult]] = {
    "filter": _judged,
    "clean": _cleaned,
    "annotate": _annotated,
    "split": _labelled,
    "augment": _grown,
}


def _verdicts_of(made: Made) -> list[Verdict]:
    return [Verdict(True)] * made.given if made.verdicts is None else verdict_list(made.verdicts)


def verdict_list(verdicts: Verdicts) -> list[Verdict]:
    """Return one Verdict a row."""
    told = []
    for row, index in enumerate(verdicts.rule):
        detail = verdicts.detail[row] if verdicts.detail is not None else None
        if index < 0:
            told.append(Verdict(True, detail=detail))
            continue
        rule = verdicts.rules[index]
        told.append(Verdict(False, rule.name, _known(verdicts.value[row]), _known(rule.threshold), detail))
    return told


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _numbers(values: Any) -> np.ndarray:
    if hasattr(values, "to_numpy"):
        values = values.to_numpy(zero_copy_only=False)
    return np.asarray(values, np.float64)
