"""Documents at the boundary: for each threshold of a run, those removed and those kept that came nearest to it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Any

from corpusmill.errors import CorpusmillError
from corpusmill.runner.records import RunRecord
from corpusmill.runner.search import kept_values, ledger_tables, step_name

if TYPE_CHECKING:
    import pyarrow as pa

EACH = 2
"""Documents on each side of a threshold."""
THRESHOLDS = 30
"""Thresholds looked at; their documents are read again one by one."""
LEDGERS = 512
"""Ledgers looked through, the first of a run: a sample of a large one, all of any other."""
MEASURED = 1_000
"""Kept documents measured again to find the nearest, where a run kept no values."""
_SAME_TEXT = ("filter", "split", "annotate")
"""Kinds of steps after a filter under which a published row still has the text that the filter judged."""


@dataclass(frozen=True)
class Nearest:
    """One document near a threshold; `text` is what the step judged, None where it was not read again."""

    step: str
    rule: str
    side: str
    """`removed` or `kept`."""
    id: str
    value: float
    threshold: float
    file: str | None = None
    offset: int | None = None
    other: str | None = None
    text: str | None = None


def nearest_documents(record: RunRecord, *, again: bool) -> list[Nearest]:
    """Return the nearest documents of every threshold that removed any, by step and rule: removed first, nearest first.

    Removed ones come from the ledgers, kept ones from values that a step kept. `again` reads and measures documents
    again: it gives texts, and finds the nearest among the first MEASURED kept where no values were kept.
    """
    removed = _removed(record)
    kept = [one for step in record.outputs.get("signals") or {} for one in _kept(record, step, again=again)]
    keys = list(dict.fromkeys((one.step, one.rule) for one in removed))[:THRESHOLDS]
    found = [one for one in (*removed, *kept) if (one.step, one.rule) in keys]
    if again:
        found = _with_texts(record, found)
    return sorted(found, key=lambda one: (keys.index((one.step, one.rule)), one.side != "removed", _distance(one)))


def _removed(record: RunRecord) -> list[Nearest]:
    nearest: dict[tuple[str, str], list[Nearest]] = {}
    for entry, table in islice(ledger_tables(record), LEDGERS):
        for row in _nearest_rows(table):
            step = step_name(record.plan, entry, row["step"])
            one = Nearest(step, str(row["rule"] or ""), "removed", **{name: row[name] for name in _COPIED})
            nearest.setdefault((one.step, one.rule), []).append(one)
    order = {step: place for place, step in enumerate(record.outputs.get("counts") or {})}
    groups = sorted(nearest, key=lambda key: (order.get(key[0], len(order)), key[1]))
    return [one for key in groups for one in sorted(nearest[key], key=_distance)[:EACH]]


_COPIED = ("id", "value", "threshold", "file", "offset", "other")


def _nearest_rows(table: pa.Table) -> Iterator[dict[str, Any]]:
    """Yield for each step and rule of a ledger its EACH rows nearest to the threshold."""
    import numpy as np
    import pyarrow as pa

    distance = np.abs(_numbers(table, "value") - _numbers(table, "threshold"))
    # A value on its threshold (an exact duplicate: 1 of 1) is no measurement that could have come out otherwise.
    there = np.isfinite(distance) & (distance > 0)
    rules = table["rule"].combine_chunks().dictionary_encode()
    numbers = rules.indices.fill_null(-1).to_numpy() * 65_536 + table["step"].to_numpy()
    for number in np.unique(numbers[there]):
        rows = np.flatnonzero(there & (numbers == number))
        yield from table.take(pa.array(_closest(rows, distance[rows]))).to_pylist()


def _closest(rows: Any, distance: Any) -> Any:
    """Return the EACH rows (int64) of the smallest distance (float64, one a row), earlier ones first among equals."""
    import numpy as np

    return rows[np.argsort(distance, kind="stable")[:EACH]]


def _kept(record: RunRecord, step: str, *, again: bool) -> list[Nearest]:
    rules = [rule for rule in record.outputs["signals"][step]["rules"] if rule["threshold"] is not None]
    tables: Iterator[pa.Table] = islice(kept_values(record, step), LEDGERS)
    if not any(one.get("step") == step for one in record.outputs.get("values") or []):
        tables = _measured_again(record, step) if again and rules else iter(())
    found: dict[int, list[Nearest]] = {}
    for table in tables:
        for place, rows in enumerate(_nearest_kept(table, rules)):
            found.setdefault(place, []).extend(_near(step, rules[place], row) for row in rows)
    return [one for place in sorted(found) for one in sorted(found[place], key=_distance)[:EACH]]


def _near(step: str, rule: Mapping[str, Any], row: Mapping[str, Any]) -> Nearest:
    name, value = str(rule["reason"] or rule["signal"]), float(row[rule["signal"]])
    return Nearest(
        step, name, "kept", str(row["id"]), value, rule["threshold"], row.get("file"), row.get("offset"), None,
        row.get("text"),
    )  # fmt: skip


def _nearest_kept(table: pa.Table, rules: Sequence[Mapping[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """Yield for each rule the rows that all rules keep and that are nearest to its threshold."""
    import numpy as np
    import pyarrow as pa

    held = [(_numbers(table, rule["signal"]), rule["side"], float(rule["threshold"])) for rule in rules]
    kept = np.ones(table.num_rows, bool)
    for values, side, threshold in held:
        kept &= ~(values < threshold if side == "least" else values > threshold)
    for values, _, threshold in held:
        rows = np.flatnonzero(kept & np.isfinite(values))
        yield table.take(pa.array(_closest(rows, np.abs(values[rows] - threshold)))).to_pylist()


def _numbers(table: pa.Table, name: str) -> Any:
    import numpy as np

    if name not in table.column_names:
        return np.full(table.num_rows, np.nan)
    return np.asarray(table[name].to_numpy(), np.float64)


def _measured_again(record: RunRecord, step: str) -> Iterator[pa.Table]:
    """Yield ids, places, texts and signals of kept documents that the run published with the text the step judged."""
    from corpusmill.runner.replay import measured_again

    stages = [one["steps"] for one in record.plan.get("stages", [])]
    stage, place = next((each, at) for each in stages for at, one in enumerate(each) if one["id"] == step)
    if any(str(one["uses"]).partition(".")[0] not in _SAME_TEXT for one in stage[place + 1 :]):
        return
    made = (record.outputs.get("outputs") or {}).get(str(stage[-1]["id"]))
    if made is not None and made.get("kind") == "documents":
        yield from measured_again(record, step, str(made["digest"]), MEASURED)


def _with_texts(record: RunRecord, found: list[Nearest]) -> list[Nearest]:
    from corpusmill.runner.replay import judged_texts

    wanted = dict.fromkeys((one.id, one.step) for one in found if one.text is None)
    try:
        texts = judged_texts(record, list(wanted))
    except CorpusmillError:
        texts = {}
    return [replace(one, text=texts.get((one.id, one.step))) if one.text is None else one for one in found]


def _distance(one: Nearest) -> tuple[float, str]:
    return abs(one.value - one.threshold), one.id
