"""The units of a dedup stage: sketch a part, join a key range, find components, select the rows of a part that stay."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from corpusmill.dataset.listing import read_list
from corpusmill.dataset.part import Part, PartWriter, read_part, read_table, write_table
from corpusmill.dataset.schema import SPLIT
from corpusmill.dataset.selection import Selection, read_selection, write_selection
from corpusmill.dataset.store import FileRef
from corpusmill.exchange.components import choose, cluster_sizes, components
from corpusmill.exchange.decisions import DUPLICATE_VIA, decisions, is_direct
from corpusmill.exchange.join import join_keys
from corpusmill.exchange.link_file import read_links, write_links
from corpusmill.exchange.sketch_writer import SketchWriter
from corpusmill.ledger.removed import Ledger
from corpusmill.runner.breadcrumb import OPERATOR, READ, Breadcrumb
from corpusmill.runner.comparing import Comparing
from corpusmill.runner.deadline import deadline, patient
from corpusmill.runner.document_rows import ids_of, rows_of
from corpusmill.runner.exchange_inputs import key_sources, row_table
from corpusmill.runner.sketching import Sketching
from corpusmill.runner.unique_ids import UNIQUE_IDS, UniqueIds
from corpusmill.runner.workspace import Workspace

CLUSTERS = pa.schema([("id", pa.string()), ("cluster", pa.string()), ("similarity", pa.float64())])
"""The `clusters` output: each removed document, the id of the one kept for it, how alike they are."""
_DECISIONS = pa.schema([("row", pa.uint32()), ("kept", pa.string()), ("similarity", pa.float64()), ("via", pa.bool_())])


def run_sketch(payload: Mapping[str, Any], workspace: Workspace, key: str) -> dict[str, Any]:
    """Sketch all rows of a part, selected or not: the sketch then serves any selection of it."""
    uses, store = payload["operator"]["uses"], workspace.store
    crumb = Breadcrumb(workspace.crumb_path(key))
    writer = SketchWriter(uses)
    refused = _sketch_ids if uses == UNIQUE_IDS else _sketch_documents
    told = refused(payload, workspace, crumb, writer)
    keys, rows = store.scratch(".arrow"), store.scratch(".arrow")
    writer.write(keys, rows)
    record = {
        "keys": store.publish(keys).to_json(),
        "rows": store.publish(rows).to_json() if writer.has_row_data else None,
        "ranked": writer.has_rank,
        **told,
    }
    crumb.remove()
    return store.commit(key, record, operators=uses)


def run_join(payload: Mapping[str, Any], workspace: Workspace, key: str) -> dict[str, Any]:
    """Join one range of keys over all sketches into verified links."""
    operator = _operator(workspace, payload["operator"])
    crumb = Breadcrumb(workspace.crumb_path(key))
    listed = read_list(workspace.store, FileRef.from_json(payload["inputs"]))
    low, high = payload["range"]
    sources, bases, masks = key_sources(workspace.store, listed, low, high)
    table = row_table(workspace.store, listed, payload["preferred"])
    compare = Comparing(payload, workspace, crumb, table, listed) if operator.verifies else None
    joined = join_keys(sources, bases, masks, low, high, table, compare, operator.threshold())
    scratch = workspace.store.scratch(".arrow")
    write_links(scratch, joined.links)
    record = {
        "links": workspace.store.publish(scratch).to_json(),
        "candidates": joined.candidates,
        "verified": joined.verified,
        **(compare.told() if compare is not None else {}),
    }
    crumb.remove()
    return workspace.store.commit(key, record, operators=payload["operator"]["uses"])


def run_components(payload: Mapping[str, Any], workspace: Workspace, key: str) -> dict[str, Any]:
    """Find components over all links and write, for each part that loses rows, which and for whom."""
    operator = _operator(workspace, payload["operator"])
    crumb = Breadcrumb(workspace.crumb_path(key))
    store = workspace.store
    listed = read_list(store, FileRef.from_json(payload["inputs"]))
    bases, parts = listed["bases"], [Part.from_json(one) for one in listed["parts"]]
    table = row_table(store, listed, payload["preferred"])
    links = read_links(store.path(FileRef.from_json(one)) for one in listed["links"])
    members, roots = components(links, table.total)
    kept = choose(members, roots, table.rank if table.has_rank else None)
    compare = Comparing(payload, workspace, crumb, table, listed) if operator.verifies else None
    ids = ids_of(store, parts, bases, np.unique(kept))
    tables: list[Any] = []
    for part, base in zip(parts, bases, strict=True):
        rows, kept_rows = decisions(members, kept, base, part.rows)
        if base < payload["preferred"] or not len(rows):
            tables.append(None)
            continue
        alike, via = _alikeness(compare, operator.threshold(), rows.astype(np.int64) + base, kept_rows)
        columns = [pa.array(rows), pa.array([ids[int(row)] for row in kept_rows]), pa.array(alike), pa.array(via)]
        tables.append(write_table(store, pa.table(columns, schema=_DECISIONS)).to_json())
    crumb.remove()
    sizes = {str(size): count for size, count in cluster_sizes(roots).items()}
    record = {"decisions": tables, "sizes": sizes, **(compare.told() if compare is not None else {})}
    return store.commit(key, record, operators=payload["operator"]["uses"])


def run_select(payload: Mapping[str, Any], workspace: Workspace, key: str) -> dict[str, Any]:
    """Turn the decisions about one part into its selection, its ledger and the outputs that steps ask for."""
    store = workspace.store
    part, before = Part.from_json(payload["part"]), Selection.from_json(payload["selection"])
    made = read_table(store, FileRef.from_json(payload["decisions"]))
    gone = made["row"].to_numpy().astype(np.int64)
    mask = np.ones(part.rows, bool) if before is None else read_selection(store, before).copy()
    mask[gone] = False
    places = rows_of(store, part, gone)
    ledger = Ledger()
    rules = [DUPLICATE_VIA if via else payload["reason"] for via in made["via"].to_pylist()]
    similarity = np.asarray(made["similarity"].to_numpy(), np.float64)
    threshold = np.full(len(gone), payload["threshold"])
    kept = made["kept"].to_pylist()
    ledger.add(places, gone, 0, rules, similarity, threshold, other=kept)
    removed = np.zeros(part.rows, bool)
    removed[gone] = True
    clusters = PartWriter(store, CLUSTERS)
    clusters.write(pa.record_batch([places.column("id"), pa.array(kept), pa.array(similarity)], schema=CLUSTERS))
    record = {
        "selection": write_selection(store, mask).to_json(),
        "removed": write_selection(store, removed).to_json(),
        "clusters": clusters.finish().to_json(),
        "ledger": write_table(store, ledger.table()).to_json(),
        "rules": {rule: rules.count(rule) for rule in sorted(set(rules))},
        "splits": split_counts(workspace, part, mask),
    }
    return store.commit(key, record)


def _operator(workspace: Workspace, recipe: Mapping[str, Any]) -> Any:
    """Return the deduplicator of a recipe; the engine's own, which looks at ids, is no plugin."""
    return UniqueIds() if recipe["uses"] == UNIQUE_IDS else workspace.operator(recipe)


def _sketch_documents(
    payload: Mapping[str, Any], workspace: Workspace, crumb: Breadcrumb, writer: SketchWriter
) -> dict[str, Any]:
    """Add the sketches of a part's documents; return what the record says of those that have none."""
    sketching = Sketching(payload, workspace, crumb)
    sketching.run(lambda made: writer.add(made.sketch, len(made.chunk), made.rank), writer.skip)
    return sketching.refused()


def _sketch_ids(
    payload: Mapping[str, Any], workspace: Workspace, crumb: Breadcrumb, writer: SketchWriter
) -> dict[str, Any]:
    """Add the sketches of a part's ids: the engine's own work, for which no document is to blame."""
    operator = UniqueIds()
    for batch in read_part(workspace.store, Part.from_json(payload["part"]).file, operator.columns):
        crumb.put(OPERATOR)
        with deadline(patient(payload["deadlines"][0])):
            sketch = operator.sketch(batch)
        crumb.put(READ)
        writer.add(sketch, batch.num_rows)
    return {}


def _alikeness(
    compare: Comparing | None, threshold: float, removed: npt.NDArray[np.int64], kept: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """Return how alike removed and kept rows are, and whether they are only joined through a third."""
    if compare is None:
        return np.ones(len(removed)), np.zeros(len(removed), bool)
    alike = compare(removed, kept)
    return alike, ~is_direct(alike, threshold, None)


def split_counts(workspace: Workspace, part: Part, mask: npt.NDArray[np.bool_]) -> dict[str, int]:
    """Count the selected rows by split label; nothing for data without labels."""
    counts: dict[str, int] = {}
    with pa.memory_map(str(workspace.store.path(part.file))) as source:
        if SPLIT not in pa.ipc.open_file(source).schema.names:
            return counts
    first = 0
    for batch in read_part(workspace.store, part.file, [SPLIT]):
        labels = batch.column(SPLIT).filter(pa.array(mask[first : first + batch.num_rows]))
        first += batch.num_rows
        for one in labels.value_counts().to_pylist():
            if one["values"] is not None:
                counts[one["values"]] = counts.get(one["values"], 0) + one["counts"]
    return dict(sorted(counts.items()))
