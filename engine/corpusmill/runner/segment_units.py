"""The units of dedup by segments: sketch a part, find repeats in a key range, hand them out to parts, cut a part."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from corpusmill.dataset.listing import read_list
from corpusmill.dataset.part import Part, read_part
from corpusmill.dataset.selection import Selection, read_selection, write_selection
from corpusmill.dataset.store import FileRef, Store
from corpusmill.exchange.column_file import read_columns, write_columns
from corpusmill.exchange.repeated_segments import part_repeats, repeated_segments
from corpusmill.exchange.segment_sketch import SegmentWriter, Spans
from corpusmill.runner.breadcrumb import Breadcrumb
from corpusmill.runner.exchange_inputs import key_sources, row_table
from corpusmill.runner.measured_cuts import MeasuredCuts
from corpusmill.runner.segment_cut import CutPart
from corpusmill.runner.sketching import Sketching
from corpusmill.runner.workspace import Workspace


def run_segment_sketch(payload: Mapping[str, Any], workspace: Workspace, key: str) -> dict[str, Any]:
    """Sketch the segments of all rows of a part, selected or not: the sketch then serves any selection of it."""
    uses, store = payload["operator"]["uses"], workspace.store
    crumb = Breadcrumb(workspace.crumb_path(key))
    sketching, writer = Sketching(payload, workspace, crumb), SegmentWriter(uses)
    column = sketching.operator.column
    sketching.run(lambda made: writer.add(made.sketch, made.chunk.batch.column(column), made.rank), writer.skip)
    keys, ranks, spans = (store.scratch(".arrow") for _ in range(3))
    writer.write(keys, ranks, spans)
    record = {
        "keys": store.publish(keys).to_json(),
        "rows": store.publish(ranks).to_json() if writer.has_rank else None,
        "ranked": writer.has_rank,
        "spans": store.publish(spans).to_json(),
        "segments": writer.segments,
        **sketching.refused(),
    }
    crumb.remove()
    return store.commit(key, record, operators=uses)


def run_segment_mask(payload: Mapping[str, Any], workspace: Workspace, key: str) -> dict[str, Any]:
    """Select the segments of the selected rows of a part."""
    store = workspace.store
    selection = Selection.from_json(payload["selection"])
    assert selection is not None
    spans = Spans.read(store.path(FileRef.from_json(payload["spans"])))
    mask = read_selection(store, selection)[spans.row]
    return store.commit(key, {"selection": write_selection(store, mask).to_json()})


def run_segment_repeats(payload: Mapping[str, Any], workspace: Workspace, key: str) -> dict[str, Any]:
    """Find the segments of one range of keys, over all parts, that repeat an earlier one."""
    store = workspace.store
    listed = read_list(store, FileRef.from_json(payload["inputs"]))
    low, high = payload["range"]
    sources, bases, masks = key_sources(store, listed, low, high)
    table = row_table(store, listed, payload["preferred"])
    found = repeated_segments(sources, bases, masks, low, high, table)
    return store.commit(key, {"repeats": _publish_numbers(store, found)})


def run_segment_shares(payload: Mapping[str, Any], workspace: Workspace, key: str) -> dict[str, Any]:
    """Hand the repeats of all ranges out to some parts: a file for each part that has any, or None."""
    store = workspace.store
    columns = [_numbers(store, one) for one in read_list(store, FileRef.from_json(payload["inputs"]))["repeats"]]
    shares = [part_repeats(columns, base, segments) for base, segments in payload["parts"]]
    return store.commit(key, {"shares": [_publish_numbers(store, one) if len(one) else None for one in shares]})


def run_segment_cut(payload: Mapping[str, Any], workspace: Workspace, key: str) -> dict[str, Any]:
    """Cut the repeats of one part out of its texts: a new part, and an account of what went.

    Where the operator fails on some documents, the record tells these instead: the part is cut anew without them.
    """
    store, recipe = workspace.store, payload["operator"]
    part, selection = Part.from_json(payload["part"]), Selection.from_json(payload["selection"])
    mask = np.ones(part.rows, bool) if selection is None else read_selection(store, selection)
    spans = Spans.read(store.path(FileRef.from_json(payload["spans"])))
    crumb = Breadcrumb(workspace.crumb_path(key))
    measured = MeasuredCuts(payload, workspace, crumb)
    cut = CutPart(store, workspace.operator(recipe), spans.take(_numbers(store, payload["share"])), mask, measured)
    try:
        for batch in read_part(store, part.file):
            cut.add(batch)
        refused = measured.refusals.told()
        if refused:
            cut.abandon()
        record = refused or cut.finish()
    except BaseException:
        cut.abandon()
        raise
    crumb.remove()
    return store.commit(key, record, operators=recipe["uses"])


def _publish_numbers(store: Store, numbers: npt.NDArray[Any]) -> list[Any]:
    path = store.scratch(".arrow")
    write_columns(path, {"segment": numbers}, {})
    return store.publish(path).to_json()


def _numbers(store: Store, file: Any) -> npt.NDArray[np.int64]:
    return read_columns(store.path(FileRef.from_json(file)))[0]["segment"].astype(np.int64, copy=False)
