"""Dedup by segments for one document: which of its segments a run cut, and the text on both sides."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from corpusmill.dataset.manifest import Dataset
from corpusmill.dataset.store import Store
from corpusmill.exchange.cut_text import cut_text
from corpusmill.runner.decision import StepDecision
from corpusmill.runner.records import RunRecord
from corpusmill.runner.replay_origins import Origins, Span
from corpusmill.runner.replay_route import Leg

_SHOWN = 50
"""Cut segments told of one document; `show run:NAME/STEP.cuts` has all."""


def replayed_cuts(record: RunRecord, store: Store, leg: Leg, origins: Callable[[], Origins]) -> StepDecision:
    """Return what the step cut out of the document, and where it stays; the ledger adds the rule that removed it.

    `origins` is asked for where something was cut.
    """
    step = leg.steps[0]
    told: dict[str, Any] = {"verdict": leg.verdict}
    cuts = _cuts(record, store, str(step["id"]), leg.document)
    if leg.row is None:
        return StepDecision(str(step["id"]), str(step["uses"]), **told, note="its row before this step was not found")
    column = str(step["column"])
    before = str(leg.row.column(column)[0].as_py() or "").encode()
    after = cut_text(before, cuts).decode()
    if cuts:
        told |= {
            "detail": f"{len(cuts)} segment{'s' if len(cuts) > 1 else ''} cut",
            "columns": _told(before, cuts, _stay_in(origins, leg.row, cuts)),
        }
        told |= {"before": before.decode(), "after": after}
        told["verdict"] = "changed" if leg.verdict == "kept" else leg.verdict
    if leg.after is not None and leg.after.column(column)[0].as_py() != leg.row.column(column)[0].as_py() and not cuts:
        told["note"] = "the run published another text, but says nothing of what was cut"
    elif cuts and leg.after is not None and leg.after.column(column)[0].as_py() != after:
        told["note"] = "the run published another text than the one without these segments"
    return StepDecision(str(step["id"]), str(step["uses"]), **told)


def _cuts(record: RunRecord, store: Store, step: str, document: str) -> list[tuple[int, int]]:
    """Return the spans of a document's cut segments, sorted."""
    outputs: Mapping[str, Any] = record.outputs.get("outputs") or {}
    output = outputs.get(f"{step}.cuts")
    if output is None:
        return []
    found: list[tuple[int, int]] = []
    for batch in Dataset.open(store, str(output["digest"])).batches():
        own = batch.filter(pc.fill_null(pc.equal(batch.column("id"), pa.scalar(document)), False))
        found += zip(own.column("start").to_pylist(), own.column("stop").to_pylist(), strict=True)
    return sorted(found)


def _stay_in(origins: Callable[[], Origins], row: Any, cuts: list[Span]) -> dict[Span, str]:
    """Return where segments stay; nothing where the operator or the sketches are not those of the run any more."""
    try:
        return origins().stay_in(row, cuts[:_SHOWN])
    except Exception:  # a plugin may raise anything; what was cut is known without it
        return {}


def _told(text: bytes, cuts: list[Span], stay_in: Mapping[Span, str]) -> tuple[tuple[str, Any], ...]:
    told: list[tuple[str, Any]] = []
    for start, stop in cuts[:_SHOWN]:
        told.append((f"cut {start}-{stop}", text[start:stop].decode()))
        if (start, stop) in stay_in:
            told.append(("stays in", stay_in[start, stop]))
    return (*told, ("cut", f"… and {len(cuts) - _SHOWN} more")) if len(cuts) > _SHOWN else tuple(told)
