"""`signals: keep` on a filter that measures nothing: found before the run instead of at its first batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from corpusmill.plan.facts import Facts
from corpusmill.plugin.row_kinds import Filter
from corpusmill.plugin.surroundings import undisturbed
from corpusmill.spec.problems import Problems


def check_kept_signals(order: Sequence[Facts], problems: Problems) -> None:
    """Record each filter that is to keep values and has none."""
    for facts in order:
        if getattr(facts.options, "signals", None) != "keep" or not isinstance(facts.instance, Filter):
            continue
        if not _measures(facts, facts.instance):
            what = f"{facts.step.uses} measures nothing here that could be kept"
            expected = "a filter with thresholds over measured signals, for `signals: keep`"
            mark = facts.step.place("with", "signals")
            problems.add(what, mark, step=facts.id, expected=expected, hint="take `signals: keep` out")


def _measures(facts: Facts, instance: Filter) -> bool:
    """A filter that judges in its own way is asked about no documents; True where it cannot tell before setup."""
    if type(instance).judge is Filter.judge:
        return True
    try:
        with undisturbed():
            verdicts: Any = instance.judge(_no_documents(facts))
        return verdicts.signals is not None
    except Exception:  # noqa: BLE001 - a stranger's judge may raise anything without setup()
        return True


def _no_documents(facts: Facts) -> Any:
    import pyarrow as pa

    types = facts.input_columns.types if facts.input_columns is not None else {}
    return pa.RecordBatch.from_arrays([pa.array([], kind) for kind in types.values()], names=list(types))
