"""The units of a tokens stage: encode the documents of a part, plan the windows over all of them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from corpusmill.dataset.manifest import Entry, entry_batches
from corpusmill.dataset.part import Part, write_table
from corpusmill.dataset.schema import SPLIT
from corpusmill.dataset.selection import Selection
from corpusmill.errors import UsageError
from corpusmill.runner.tokens import TokenPart, TokenSplit, encoded_columns
from corpusmill.runner.workspace import Workspace

END = "<|endoftext|>"


def run_encode(payload: Mapping[str, Any], workspace: Workspace, key: str) -> dict[str, Any]:
    """Encode the selected documents of a part, each followed by the end token; one uncompressed batch."""
    # One task, one core: the executor decides how wide a run is.
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    from tokenizers import Tokenizer

    folder = workspace.artifact(payload["tokenizer"]).path
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    # A document that spells a special token is text, not a command.
    tokenizer.encode_special_tokens = True
    end = end_token(tokenizer, folder) if payload["add_end"] else None
    dtype = np.uint16 if tokenizer.get_vocab_size() <= 2**16 else np.uint32
    entry = Entry(Part.from_json(payload["part"]), Selection.from_json(payload["selection"]))
    tables = []
    for batch in entry_batches(workspace.store, entry, split=payload["split"]):
        texts = [text or "" for text in batch.column(payload["column"]).to_pylist()]
        ids = [encoding.ids for encoding in tokenizer.encode_batch_fast(texts, add_special_tokens=False)]
        tables.append(_table(batch, texts, ids, end, dtype))
    schema = _schema(dtype)
    table = pa.concat_tables(tables) if tables else schema.empty_table()
    file = write_table(workspace.store, table, codec=None)
    tokens = sum(len(chunk.values) for chunk in table["tokens"].chunks)
    record = {"part": TokenPart(file.checksum, table.num_rows, tokens, file).to_json()}
    return workspace.store.commit(key, record, operators="tokenizer")


def run_windows(payload: Mapping[str, Any], workspace: Workspace, key: str) -> dict[str, Any]:
    """Plan the windows of each split; documents are numbered over all parts in order."""
    operator = workspace.operator(payload["operator"])
    parts = [TokenPart.from_json(one) for one in payload["parts"]]
    labels, lengths, sizes = encoded_columns(workspace.store, parts)
    splits = {}
    for label in sorted(set(labels)):
        documents = np.flatnonzero(labels == label)
        plan = operator.windows(lengths[documents])
        window, document, start, stop = (np.asarray(column, np.int64) for column in plan)
        table = pa.table({"window": window, "document": documents[document], "start": start, "stop": stop})
        splits[str(label)] = TokenSplit(
            int(window[-1]) + 1 if len(window) else 0,
            int(lengths[documents].sum()),
            int(sizes[documents].sum()),
            len(documents),
            write_table(workspace.store, table, codec=None),
        ).to_json()
    return workspace.store.commit(key, {"splits": splits}, operators=payload["operator"]["uses"])


def end_token(tokenizer: Any, folder: Any) -> int:
    """Return the id that ends a document: `<|endoftext|>`, else the tokenizer's own end-of-sequence token.

    Raises UsageError for a tokenizer with neither.
    """
    found = tokenizer.token_to_id(END)
    if found is None and (folder / "tokenizer_config.json").is_file():
        import orjson

        name = orjson.loads((folder / "tokenizer_config.json").read_bytes()).get("eos_token")
        name = name.get("content") if isinstance(name, dict) else name
        found = tokenizer.token_to_id(name) if name else None
    if found is None:
        raise UsageError(
            "the tokenizer has no token that ends a document",
            expected=f"{END} in its vocabulary, or eos_token in tokenizer_config.json",
            hint="train one with tokenizer.bpe, or add the token to the loaded one",
        )
    return int(found)


def _table(batch: pa.RecordBatch, texts: list[str], ids: list[list[int]], end: int | None, dtype: Any) -> pa.Table:
    ending = 0 if end is None else 1
    lengths = np.fromiter((len(one) + ending for one in ids), np.int64, len(ids))
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    values: npt.NDArray[Any] = np.empty(int(offsets[-1]), dtype)
    for one, start in zip(ids, offsets, strict=False):
        values[start : start + len(one)] = one
        if end is not None:
            values[start + len(one)] = end
    tokens = pa.LargeListArray.from_arrays(pa.array(offsets), pa.array(values))
    labelled = batch.schema.get_field_index(SPLIT) >= 0
    columns = {
        "id": batch.column("id"),
        SPLIT: batch.column(SPLIT).fill_null("") if labelled else pa.array([""] * len(ids)),
        "tokens": tokens,
        "text_bytes": pa.array([len(text.encode()) for text in texts], pa.int64()),
    }
    return pa.table(columns, schema=_schema(dtype))


def _schema(dtype: Any) -> pa.Schema:
    return pa.schema(
        [
            ("id", pa.string()),
            (SPLIT, pa.string()),
            ("tokens", pa.large_list(pa.from_numpy_dtype(dtype))),
            ("text_bytes", pa.int64()),
        ]
    )
