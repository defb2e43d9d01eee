"""The unit of an export: one file, encoded into the staging folder and renamed when it is whole."""

from __future__ import annotations

import io
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa

from corpusmill.dataset.disk import DiskFile, beside, disk, remove_file, rename_file, replace_file
from corpusmill.dataset.hashing import canonical_json, hash_file
from corpusmill.dataset.manifest import Entry, entry_batches
from corpusmill.dataset.part import Part
from corpusmill.dataset.schema import conform
from corpusmill.dataset.selection import Selection
from corpusmill.errors import StoreError
from corpusmill.runner.breadcrumb import Breadcrumb
from corpusmill.runner.guard import DISK_FULL
from corpusmill.runner.whole_call import WholeCalls
from corpusmill.runner.workspace import Workspace

RECORDS = ".records"
"""Where staging keeps what is known of finished files, so that a killed export does not start over, and the files that
are being encoded: it goes before the folder is published, so what outlived its driver leaves nothing in there."""


def run_write(payload: Mapping[str, Any], workspace: Workspace, key: str) -> dict[str, Any]:
    """Encode one file; one that was finished before a kill, and is whole, is taken as it is."""
    staging, name = Path(payload["staging"]), payload["name"]
    noted = staging / RECORDS / f"{key}.json"
    finished = _finished(staging, noted)
    if finished is not None:
        return finished
    try:
        crumb = Breadcrumb(workspace.crumb_path(key))
        call = WholeCalls(payload["operator"], crumb)
        record = _encode(payload, workspace, staging / name, beside(staging / RECORDS / key), call)
        crumb.remove()
        replace_file(noted, canonical_json(record))
    except OSError as error:
        raise _not_written(error, staging, payload) from error
    return record


def _encode(
    payload: Mapping[str, Any], workspace: Workspace, target: Path, building: Path, call: WholeCalls
) -> dict[str, Any]:
    operator = workspace.operator(payload["operator"])
    schema = pa.ipc.read_schema(pa.py_buffer(bytes.fromhex(payload["schema"])))
    rows = _Counted(_batches(payload, workspace, schema))
    try:
        with io.BufferedWriter(DiskFile(building), 1 << 20) as sink:
            call(operator.encode, schema, rows, sink)
        disk().sync_file(building)
        checksum, size = hash_file(building)
        rename_file(building, target)
    except OSError:
        remove_file(building)
        raise
    disk().sync_folder(target.parent)
    return {
        "name": payload["name"],
        "split": payload["label"],
        "rows": rows.rows,
        "bytes": size,
        "xxh3_128": checksum,
    }


class _Counted:
    """Counts rows on their way to the encoder."""

    def __init__(self, batches: Iterator[pa.RecordBatch]):
        self._batches = batches
        self.rows = 0

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        for batch in self._batches:
            self.rows += batch.num_rows
            yield batch


def _batches(payload: Mapping[str, Any], workspace: Workspace, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    for part, selection in payload["entries"]:
        entry = Entry(Part.from_json(part), Selection.from_json(selection))
        for batch in entry_batches(workspace.store, entry, split=payload["split"]):
            yield conform(batch, schema)


def _finished(staging: Path, noted: Path) -> dict[str, Any] | None:
    """Return the record of a file that was finished before, if the file is still what the record says."""
    try:
        record: dict[str, Any] = orjson.loads(noted.read_bytes())
        whole = hash_file(staging / record["name"])[0] == record["xxh3_128"]
    except (FileNotFoundError, orjson.JSONDecodeError):
        return None
    return record if whole else None


def _not_written(error: OSError, staging: Path, payload: Mapping[str, Any]) -> StoreError:
    if error.errno not in DISK_FULL:
        return StoreError(
            f"cannot write {payload['name']!r}: {error.strerror or error}",
            where=str(staging),
            expected="a folder that this user may write to",
            hint="check its permissions, then run the same command: finished files are kept",
        )
    needed = sum(Part.from_json(part).file.bytes for part, _ in payload["entries"])
    return StoreError(
        f"no space left for the export: about {needed} bytes needed for {payload['name']!r}, "
        f"{shutil.disk_usage(staging).free} bytes free",
        where=str(staging),
        expected="room for the exported files",
        hint="free some space, then run the same command: finished files are kept",
    )
