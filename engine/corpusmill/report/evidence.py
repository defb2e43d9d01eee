"""The evidence behind a report: what only the store knows of a run, read from ledgers, quarantines and datasets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from corpusmill.errors import CorpusmillError
from corpusmill.runner.bad_records import BadReason, collect_bad_records
from corpusmill.runner.records import RunRecord

if TYPE_CHECKING:
    from corpusmill.runner.boundary import Nearest

PLACES = 5
"""Places told of each reason of quarantine."""
_ROWS = 1_000_000
"""Documents whose language is counted."""
_LANGUAGES = 20

T = TypeVar("T")


@dataclass(frozen=True)
class Languages:
    """Documents of one dataset by language, most first; `rows` were counted of `whole`."""

    step: str
    column: str
    labels: tuple[tuple[str, int], ...]
    others: int
    rows: int
    whole: int


@dataclass(frozen=True)
class Evidence:
    """What was found; `problems` says what could not be read. `again`: documents were read and measured again."""

    nearest: tuple[Nearest, ...] = ()
    languages: tuple[Languages, ...] = ()
    quarantined: tuple[BadReason, ...] = ()
    again: bool = False
    problems: list[str] = field(default_factory=list)


def gather(record: RunRecord, *, again: bool) -> Evidence:
    """Return the evidence of a run; what cannot be read becomes a problem, for a report must not fail over it.

    A run that was killed has none yet. `again` also reads and measures documents anew (seconds); without it, nothing
    is fetched from a remote store.
    """
    problems: list[str] = []

    def look(what: str, find: Callable[[], list[T]]) -> tuple[T, ...]:
        try:
            return tuple(find())
        except (CorpusmillError, OSError, ValueError, KeyError) as error:
            problems.append(f"{what}: {error.what if isinstance(error, CorpusmillError) else error}")
            return ()

    if not record.outputs or (not again and "://" in record.store):
        return Evidence()
    from corpusmill.runner.boundary import nearest_documents

    return Evidence(
        look("documents near thresholds", lambda: nearest_documents(record, again=again)),
        look("languages", lambda: _languages(record)),
        look("quarantine", lambda: list(collect_bad_records(record, limit=PLACES).reasons)),
        again,
        problems,
    )


def _languages(record: RunRecord) -> list[Languages]:
    """Count the last dataset that has each column of languages: what `annotate.language` made, or a reader gave."""
    steps = [step for stage in record.plan.get("stages", []) for step in stage.get("steps", [])]
    made = [one.get("options") or {} for one in steps if one.get("uses") == "annotate.language"]
    found = [_counted(record, name) for name in dict.fromkeys([*(str(one.get("output")) for one in made), "language"])]
    return [one for one in found if one is not None and one.rows]


def _counted(record: RunRecord, column: str) -> Languages | None:
    import pyarrow as pa
    import pyarrow.compute as pc

    from corpusmill.dataset.manifest import Dataset
    from corpusmill.dataset.store import Store

    for step, output in reversed(record.datasets.items()):
        dataset = Dataset.open(Store(record.store), str(output["digest"]))
        if column not in dataset.schema.names:
            continue
        kind = dataset.schema.field(column).type
        if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
            return None
        labels: Counter[str] = Counter()
        for batch in dataset.batches([column]):
            values, numbers = pc.value_counts(batch.column(column)).flatten()
            labels.update(dict(zip((one or "" for one in values.to_pylist()), numbers.to_pylist(), strict=True)))
            if labels.total() >= _ROWS:
                break
        ordered = sorted(labels.items(), key=lambda one: (-one[1], one[0]))
        others = sum(rows for _, rows in ordered[_LANGUAGES:])
        return Languages(step, column, tuple(ordered[:_LANGUAGES]), others, labels.total(), dataset.rows)
    return None
