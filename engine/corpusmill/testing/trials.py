"""One go at an operator, by family: what comes out, as values that can be compared part by part."""

from __future__ import annotations

import io
import json
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import IO, TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from corpusmill.plugin.reader import ReadLimits, Slice
from corpusmill.testing.fakes import FakeWork
from corpusmill.testing.findings import Broken, NotApplicable
from corpusmill.testing.outcomes import ROW_KINDS, outcome

if TYPE_CHECKING:
    from corpusmill.testing.bench import Bench

WORK_KINDS = ("tokenizer", "train", "predict", "evaluate", "load")
LENGTHS = (0, 5, 1, 0, 40, 16, 17, 33, 2, 0)
"""Tokens of the documents that packers are tried on."""


def try_rows(bench: Bench, operator: Any) -> dict[str, Any]:
    """Each row's outcome, by its place."""
    made = outcome(operator, bench.batch(bench.texts))
    return {f"row {row}": value for row, value in enumerate(made)}


@dataclass(frozen=True)
class SampleFile:
    """An input file on the local disk, or bytes in memory."""

    path: Path
    data: bytes | None = None

    @property
    def name(self) -> str:
        """Its own name."""
        return self.path.name

    @property
    def size(self) -> int:
        """Stored bytes."""
        return self.path.stat().st_size if self.data is None else len(self.data)

    def open(self) -> IO[bytes]:
        """Open it for reading."""
        return self.path.open("rb") if self.data is None else io.BytesIO(self.data)


@dataclass
class Reading:
    """What reading left: rows as dictionaries, and rejects as (offset, reason, stored bytes)."""

    rows: list[dict[str, Any]]
    rejects: list[tuple[int, str, int]]
    ranges: list[tuple[int, int]]
    schema: pa.Schema | None = None

    def reject(self, raw: bytes, offset: int, reason: str, detail: str = "", length: int | None = None) -> None:
        """Take one bad record."""
        self.rejects.append((offset, reason, len(raw)))


def input_files(bench: Bench) -> list[SampleFile]:
    """Return the files that the options name."""
    paths = bench.options.paths
    found = [SampleFile(Path(path)) for path in ([paths] if isinstance(paths, str) else paths)]
    if not found or not all(file.path.is_file() for file in found):
        known = ", ".join(bench.operator.suffixes) or "none"
        raise NotApplicable(f"no sample file for the endings {known}: name one with --with paths=FILE")
    return found


def read_files(bench: Bench, operator: Any, files: Sequence[SampleFile]) -> dict[str, Reading]:
    """Read files as the engine does: prepare, hand the state over, cut, read range by range."""
    operator.prepare(list(files))
    worker = bench.build(set_up=False, options=operator.options)
    try:
        worker.restore(json.loads(json.dumps(operator.state())))
    except (TypeError, ValueError) as error:
        raise Broken("state", f"state() returned what JSON cannot say: {error}") from error
    worker.setup()
    found = {}
    for file in files:
        reading = Reading([], [], [(int(start), int(stop)) for start, stop in worker.ranges(file)])
        for start, stop in reading.ranges:
            for batch in worker.read(Slice(file, start, stop, ReadLimits()), reading.reject):
                expect_columns(worker, batch)
                reading.schema = batch.schema
                reading.rows.extend(batch.to_pylist())
        found[file.name] = reading
    return found


def expect_columns(operator: Any, batch: pa.RecordBatch) -> None:
    """A reader yields the columns of `adds()` and `offset`, of these types."""
    declared = {**operator.adds(), "offset": pa.int64()}
    found = {field.name: field.type for field in batch.schema}
    for name in sorted({*declared, *found}):
        if name not in found:
            raise Broken("adds", f"read() did not make the column {name!r}, which is declared")
        if name not in declared:
            raise Broken("adds", f"read() made the column {name!r}, which adds() does not declare")
        if found[name] != declared[name]:
            raise Broken("adds", f"read() made {name!r} of type {found[name]}; {declared[name]} is declared")


def try_reading(bench: Bench, operator: Any) -> dict[str, Any]:
    """Each document and each rejected record, by file and place."""
    parts: dict[str, Any] = {}
    for name, reading in read_files(bench, operator, input_files(bench)).items():
        parts |= {f"{name}, document {row}": values for row, values in enumerate(reading.rows)}
        parts |= {f"{name}, reject {row}": list(values) for row, values in enumerate(reading.rejects)}
    return parts


def written(operator: Any, schema: pa.Schema, batches: Sequence[pa.RecordBatch]) -> bytes:
    """Return the bytes of one file."""
    sink = io.BytesIO()
    operator.encode(schema, iter(batches), sink)
    if sink.closed:
        raise Broken("sink", "encode() closed the sink, which belongs to the engine")
    return sink.getvalue()


def try_writing(bench: Bench, operator: Any) -> dict[str, Any]:
    """The bytes of one file."""
    batch = bench.batch(bench.texts)
    return {"the file": written(operator, batch.schema, [batch])}


def try_packing(bench: Bench, operator: Any) -> dict[str, Any]:
    """The plan of windows."""
    plan = operator.windows(np.array(LENGTHS, np.int64))
    names = ("window", "document", "start", "stop")
    if not isinstance(plan, tuple) or len(plan) != len(names):
        raise Broken("windows", "windows() did not return the four arrays window, document, start, stop")
    return {name: np.asarray(values).tolist() for name, values in zip(names, plan, strict=True)}


def bind_ports(bench: Bench, *, batch_rows: int = 7, only: bool = False) -> SimpleNamespace:
    """Return a stand-in for each port; `only` leaves documents no column that is not declared."""
    bound: dict[str, Any] = {}
    for name, port in bench.operator.ports().items():
        if port.artifact == "documents":
            columns = (*bench.reads, *port.columns)
            one: Any = bench.samples.documents(columns, batch_rows=batch_rows, only=only)
        else:
            one = bench.samples.port(port.artifact)
        bound[name] = [one] if port.many else one
    return SimpleNamespace(**bound)


def work_result(operator: Any, inputs: SimpleNamespace, work: FakeWork) -> dict[str, Any]:
    """Run global work; return its summary and files by name."""
    summary = operator.run(inputs, work)
    if not isinstance(summary, dict):
        raise Broken("summary", f"run() returned a {type(summary).__name__}, not a mapping")
    try:
        told = json.loads(json.dumps(summary))
    except (TypeError, ValueError) as error:
        raise Broken("summary", f"run() returned what JSON cannot say: {error}") from error
    return {"the summary": told, **{f"the file {name!r}": data for name, data in work.files().items()}}


def try_work(bench: Bench, operator: Any) -> dict[str, Any]:
    """The summary and the files of global work."""
    with tempfile.TemporaryDirectory(prefix="corpusmill-work-") as root:
        return work_result(operator, bind_ports(bench), FakeWork(Path(root)))


_TRIALS: dict[str, Callable[[Bench, Any], dict[str, Any]]] = {
    **dict.fromkeys(ROW_KINDS, try_rows),
    **dict.fromkeys(WORK_KINDS, try_work),
    "read": try_reading,
    "write": try_writing,
    "tokens": try_packing,
}


def try_once(bench: Bench, operator: Any) -> dict[str, Any]:
    """Return what one go makes, part by part; raises Broken, NotApplicable, or what the operator raises."""
    if operator.kind not in _TRIALS:
        raise NotApplicable(f"the kit knows no way to try the kind {operator.kind!r}")
    return _TRIALS[operator.kind](bench, operator)
