"""A tokenizer as the engine encodes documents with it: it stands for an operator where they are tried one by one."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from corpusmill.dataset.schema import SPLIT
from corpusmill.errors import UsageError

END = "<|endoftext|>"


class Encoder:
    """Turns texts into tokens, one document like another, whatever stands beside it."""

    kind = "encode"

    def __init__(self, folder: Path, column: str, *, add_end: bool):
        from tokenizers import Tokenizer

        self._column = column
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        # A document that spells a special token is text, not a command.
        self._tokenizer.encode_special_tokens = True
        self._end = end_token(self._tokenizer, folder) if add_end else None
        self._type = np.uint16 if self._tokenizer.get_vocab_size() <= 2**16 else np.uint32
        self.schema = _schema(self._type)

    def encode(self, batch: pa.RecordBatch) -> pa.Table:
        """Return id, split label, tokens and size of every document, each followed by the end token."""
        # One task, one core: the executor decides how wide a run is.
        os.environ["TOKENIZERS_PARALLELISM"] = "false"
        texts = [text or "" for text in batch.column(self._column).to_pylist()]
        ids = [encoding.ids for encoding in self._tokenizer.encode_batch_fast(texts, add_special_tokens=False)]
        return _table(batch, texts, ids, self._end, self._type)


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
