"""Folders as others see them: Parquet and JSON Lines files somebody published, or a model."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from corpusmill.errors import InputError, UsageError
from corpusmill.report.inspection import Inspection

_LINES = (".jsonl", ".jsonl.gz", ".jsonl.zst", ".ndjson", ".json.gz")
_NUMBERED = re.compile(r"(.+?)-\d+(?:-of-\d+)?")
_LINE_LIMIT = 64 << 20
"""Bytes of a line that are looked at: a folder from elsewhere may hold anything."""


def look_at_folder(folder: Path, rows: int) -> Inspection:
    """Return what a folder (or one file) holds, with its first rows.

    Raises UsageError when nothing in it is known, InputError for a file that cannot be read.
    """
    files = sorted(path for path in folder.rglob("*") if path.is_file()) if folder.is_dir() else [folder]
    parquet = [path for path in files if path.suffix == ".parquet"]
    lines = [path for path in files if path.name.endswith(_LINES)]
    if parquet:
        return _read(folder, parquet, rows, _parquet)
    if lines:
        return _read(folder, lines, rows, _json_lines)
    if (folder / "config.json").is_file() or (folder / "tokenizer.json").is_file():
        kind = "model" if (folder / "config.json").is_file() else "tokenizer"
        sizes = {path.name: path.stat().st_size for path in files}
        return Inspection(f"{kind} {folder}", {"files": len(files), "bytes": sum(sizes.values()), "sizes": sizes})
    raise UsageError(
        f"nothing to show in {str(folder)!r}",
        expected="a folder with .parquet or .jsonl files, a model or a tokenizer",
        hint="corpusmill status lists runs",
    )


def _read(folder: Path, paths: list[Path], rows: int, look: Any) -> Inspection:
    from pyarrow import ArrowException

    try:
        return _with_splits(folder, paths, look(folder, paths, rows))
    except (OSError, ValueError, ArrowException) as error:
        raise InputError(f"cannot read {str(folder)!r}: {error}", where=str(folder)) from error


def _parquet(folder: Path, paths: list[Path], rows: int) -> tuple[Inspection, dict[Path, int]]:
    import pyarrow.parquet as pq

    counts = {path: pq.read_metadata(path).num_rows for path in paths}
    schema = pq.read_schema(paths[0])
    batches = (batch for path in paths for batch in pq.ParquetFile(path).iter_batches(batch_size=max(rows, 1)))
    first = list(islice((row for batch in batches for row in batch.to_pylist()), rows))
    columns = [(item.name, str(item.type)) for item in schema]
    return Inspection(f"Parquet files in {folder}", {}, columns, first), counts


def _json_lines(folder: Path, paths: list[Path], rows: int) -> tuple[Inspection, dict[Path, int]]:
    import orjson  # refuses nesting that would exhaust the stack

    first = [orjson.loads(line) for line in islice((line for path in paths for line in _lines(path)), rows)]
    first = [row if isinstance(row, Mapping) else {"value": row} for row in first]
    columns = list(dict.fromkeys((name, type(value).__name__) for row in first for name, value in row.items()))
    counts = {path: sum(1 for _ in _lines(path)) for path in paths}
    return Inspection(f"JSON Lines files in {folder}", {}, columns, first), counts


def _lines(path: Path) -> Iterator[bytes]:
    """Yield the lines that hold something, decompressed by the name's ending."""
    import io

    import pyarrow as pa

    with pa.input_stream(str(path), compression="detect") as stream:
        reader = io.BufferedReader(stream)
        while line := reader.readline(_LINE_LIMIT):
            if line.strip():
                yield line


def _with_splits(folder: Path, paths: list[Path], found: tuple[Inspection, dict[Path, int]]) -> Inspection:
    """Add what the files say together; `train-00000-of-00008.parquet` and `train/0.parquet` belong to `train`."""
    look, counts = found
    splits: dict[str, int] = {}
    for path, rows in counts.items():
        stem = path.name.split(".")[0]
        numbered = _NUMBERED.fullmatch(stem)
        label = path.parent.name if path.parent not in (folder, folder / "data") else numbered[1] if numbered else stem
        splits[label] = splits.get(label, 0) + rows
    size = sum(path.stat().st_size for path in paths)
    facts = {"rows": sum(counts.values()), "splits": splits, "files": len(paths), "bytes": size, "path": str(folder)}
    return Inspection(look.title, facts, look.columns, look.first)
