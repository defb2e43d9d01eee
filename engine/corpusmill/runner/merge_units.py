"""The units that merge: the keys of neighbouring sketches into one run, the masks of their parts into one mask."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from corpusmill.dataset.listing import read_list
from corpusmill.dataset.selection import Selection, read_selection, write_selection
from corpusmill.dataset.store import FileRef
from corpusmill.exchange.merge import merge_keys
from corpusmill.exchange.sketch_file import SketchFile
from corpusmill.runner.workspace import Workspace


def run_merge(payload: Mapping[str, Any], workspace: Workspace, key: str) -> dict[str, Any]:
    """Merge the key files of neighbouring parts into one, rows numbered through."""
    store = workspace.store
    members = read_list(store, FileRef.from_json(payload["members"]))
    path = store.scratch(".arrow")
    merge_keys([SketchFile(store.path(FileRef.from_json(file))) for _, file in members], path, store.scratch)
    # What it was made of: a run of sketches that nothing names any more serves nobody.
    return store.commit(
        key, {"keys": store.publish(path).to_json(), "of": payload["members"]}, operators="engine.merge"
    )


def run_merge_masks(payload: Mapping[str, Any], workspace: Workspace, key: str) -> dict[str, Any]:
    """Write the masks of neighbouring parts as one; a part without a selection has all its rows selected."""
    store = workspace.store
    masks = []
    for rows, value in read_list(store, FileRef.from_json(payload["members"])):
        selection = Selection.from_json(value)
        masks.append(np.ones(rows, bool) if selection is None else read_selection(store, selection))
    record = {"selection": write_selection(store, np.concatenate(masks)).to_json(), "of": payload["members"]}
    return store.commit(key, record, operators="engine.merge")
