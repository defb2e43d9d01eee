"""The datasets bound to a documents port, as entries: union in list order, splits narrowed to selections."""

from __future__ import annotations

import numpy as np
import pyarrow.compute as pc

from corpusmill.dataset.manifest import Dataset, Entry
from corpusmill.dataset.part import read_part
from corpusmill.dataset.schema import SPLIT
from corpusmill.dataset.selection import read_selection, write_selection
from corpusmill.dataset.store import Store
from corpusmill.plan.checked import CheckedStep
from corpusmill.plan.fingerprint import build_operator
from corpusmill.runner.export_labels import expect_labels
from corpusmill.runner.references import resolve_reference
from corpusmill.runner.session import Session
from corpusmill.runner.text_column import expect_text


def bound_entries(session: Session, step: CheckedStep, port: str) -> tuple[list[Dataset], list[Entry]]:
    """Return the datasets bound to a port and their parts in order; raises UsageError where the text is none."""
    datasets, entries = [], []
    operator = build_operator(step, session.seed, session.base)
    for ref in step.inputs.get(port, ()):
        dataset = resolve_reference(ref, session.results, session.store)
        assert isinstance(dataset, Dataset)
        expect_text(step, operator, dataset.schema)
        datasets.append(dataset)
        for entry in dataset.entries:
            entries.append(entry if ref.split is None else narrowed(session.store, entry, ref.split))
    if step.kind == "write":
        expect_labels(step.id, entries)
    return datasets, entries


def narrowed(store: Store, entry: Entry, split: str) -> Entry:
    """Return an entry that selects only the rows of one split label."""
    labels = [batch.column(0) for batch in read_part(store, entry.part.file, [SPLIT])]
    masks = [pc.fill_null(pc.equal(column, split), False).to_numpy(zero_copy_only=False) for column in labels]
    mask = np.concatenate(masks) if masks else np.zeros(0, bool)
    if entry.selection is not None:
        mask &= read_selection(store, entry.selection)
    selection = write_selection(store, mask.astype(bool))
    return Entry(entry.part, selection, {split: selection.selected})
