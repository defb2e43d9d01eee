"""The unit of an export: one file, encoded into the staging folder and renamed when it is whole."""

from __future__ import annotations

import io
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa

from corpusmill.dataset.disk import beside, disk, remove_file, rename_file, replace_file
from corpusmill.dataset.hashing import canonical_json, hash_file
from corpusmill.dataset.manifest import Entry, entry_batches
from corpusmill.dataset.part import Part
from corpusmill.dataset.schema import conform
from corpusmill.dataset.selection import Selection
from corpusmill.errors import OperatorError, StoreError
from corpusmill.plugin.local import home_of
from corpusmill.runner.breadcrumb import Breadcrumb
from corpusmill.runner.file_rows import FileRows
from corpusmill.runner.file_sink import FileSink
from corpusmill.runner.guard import DISK_FULL, check_command
from corpusmill.runner.unwritable import Unwritable
from corpusmill.runner.whole_call import WholeCalls
from corpusmill.runner.workspace import Workspace

RECORDS = ".records"
"""Where staging keeps what is known of finished files, so that a killed export does not start over, and the files that
are being encoded: it goes before the folder is published, so what outlived its driver leaves nothing in there."""


def run_write(payload: Mapping[str, Any], workspace: Workspace, key: str) -> dict[str, Any]:
    """Encode one file; one that was finished before a kill, and is whole, is taken as it is."""
    staging, name = Path(payload["staging"]), payload["name"]
    noted = staging / RECORDS / f"{key}.json"
    crumb = Breadcrumb(workspace.crumb_path(key))
    unwritable = Unwritable(payload, workspace, key, crumb)
    finished = _finished(staging, noted)
    if finished is not None and finished.get("failed", {}) == unwritable.failed:
        crumb.remove()
        return finished
    try:
        record = _encode(payload, workspace, staging / name, beside(staging / RECORDS / key), crumb, unwritable)
        crumb.remove()
        replace_file(noted, canonical_json(record))
    except OSError as error:
        raise _not_written(error, staging, payload) from error
    return record


def _encode(
    payload: Mapping[str, Any],
    workspace: Workspace,
    target: Path,
    building: Path,
    crumb: Breadcrumb,
    unwritable: Unwritable,
) -> dict[str, Any]:
    """Write the file without the documents that cannot be written; look for them where the writer dies or raises."""
    schema = pa.ipc.read_schema(pa.py_buffer(bytes.fromhex(payload["schema"])))
    if payload.get("suspects"):
        unwritable.find(schema, _batches(payload, workspace, schema))
    try:
        rows = _written(payload, workspace, schema, building, crumb, unwritable)
        disk().sync_file(building)
        checksum, size = hash_file(building)
        rename_file(building, target)
    except (OSError, OperatorError):
        remove_file(building)
        raise
    disk().sync_folder(target.parent)
    record = {"name": payload["name"], "split": payload["label"], "rows": rows, "bytes": size, "xxh3_128": checksum}
    return {**record, "failed": unwritable.failed} if unwritable.failed else record


def _written(
    payload: Mapping[str, Any],
    workspace: Workspace,
    schema: pa.Schema,
    building: Path,
    crumb: Breadcrumb,
    unwritable: Unwritable,
) -> int:
    """Encode all rows but those that are left out, and look for such where the writer raises; return how many."""
    try:
        return _write_rows(payload, workspace, schema, building, crumb, unwritable)
    except OperatorError as error:
        if unwritable.searched or error.__cause__ is None:
            raise
        unwritable.find(schema, _batches(payload, workspace, schema))
        if not unwritable.rows:
            error.what = f"{error.what} (on many documents at once, but on none of them alone)"
            raise
        return _write_rows(payload, workspace, schema, building, crumb, unwritable)


def _write_rows(
    payload: Mapping[str, Any],
    workspace: Workspace,
    schema: pa.Schema,
    building: Path,
    crumb: Breadcrumb,
    unwritable: Unwritable,
) -> int:
    (seconds,) = payload["deadlines"]
    call = WholeCalls(payload["operator"], crumb, seconds)
    # Once its rows were tried, a death is no row's any more: it is borne three times.
    blamed = not unwritable.searched
    rows = FileRows(_batches(payload, workspace, schema), crumb, seconds, unwritable.rows, blamed=blamed)
    writer, file = workspace.operator(payload["operator"]), FileSink(building)
    try:
        with io.BufferedWriter(file, 1 << 20) as sink:
            call(writer.encode, schema, rows, sink)
    except OperatorError as error:
        raise file.failure or error from error.__cause__
    if file.failure is not None:
        raise file.failure
    if not rows.exhausted:
        raise _unread(payload["operator"], writer, rows.rows)
    return rows.rows


def _unread(recipe: Mapping[str, Any], writer: Any, rows: int) -> OperatorError:
    return OperatorError(
        f"{recipe['uses']} returned from encode() after {rows} documents, and left others unread",
        where=f"step {recipe['step']} ({recipe['uses']})",
        expected="an encode() that reads its batches to their end: all that comes in is in the file",
        hint=check_command(recipe["uses"], home_of(type(writer))),
    )


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
