"""The units of a tokens stage: encode the documents of a part, plan the windows over all of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from corpusmill.dataset.part import write_table
from corpusmill.runner.breadcrumb import Breadcrumb
from corpusmill.runner.encoding import Encoding
from corpusmill.runner.tokens import TokenPart, TokenSplit, encoded_columns
from corpusmill.runner.whole_call import WholeCalls
from corpusmill.runner.workspace import Workspace


def run_encode(payload: Mapping[str, Any], workspace: Workspace, key: str) -> dict[str, Any]:
    """Encode the selected documents of a part, each followed by the end token; one uncompressed batch."""
    crumb = Breadcrumb(workspace.crumb_path(key))
    encoding = Encoding(payload, workspace, crumb)
    table = encoding.table()
    file = write_table(workspace.store, table, codec=None)
    tokens = sum(len(chunk.values) for chunk in table["tokens"].chunks)
    part = TokenPart(file.checksum, table.num_rows, tokens, file)
    record = {"part": part.to_json(), **encoding.left_out()}
    crumb.remove()
    return workspace.store.commit(key, record, operators="tokenizer")


def run_windows(payload: Mapping[str, Any], workspace: Workspace, key: str) -> dict[str, Any]:
    """Plan the windows of each split; documents are numbered over all parts in order."""
    operator = workspace.operator(payload["operator"])
    crumb = Breadcrumb(workspace.crumb_path(key))
    call = WholeCalls(payload["operator"], crumb)
    parts = [TokenPart.from_json(one) for one in payload["parts"]]
    labels, lengths, sizes = encoded_columns(workspace.store, parts)
    splits = {}
    for label in sorted(set(labels)):
        documents = np.flatnonzero(labels == label)
        plan = call(operator.windows, lengths[documents])
        window, document, start, stop = (np.asarray(column, np.int64) for column in plan)
        table = pa.table({"window": window, "document": documents[document], "start": start, "stop": stop})
        splits[str(label)] = TokenSplit(
            int(window[-1]) + 1 if len(window) else 0,
            int(lengths[documents].sum()),
            int(sizes[documents].sum()),
            len(documents),
            write_table(workspace.store, table, codec=None),
        ).to_json()
    crumb.remove()
    return workspace.store.commit(key, {"splits": splits}, operators=payload["operator"]["uses"])
