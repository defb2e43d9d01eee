"""What the reader tests share: local input files, rejects that are kept, and real data."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import pytest

from corpusmill import Reader, ReadLimits, Slice


@dataclass(frozen=True)
class LocalFile:
    """An input file on the local disk."""

    path: Path
    name: str

    @property
    def size(self) -> int:
        return self.path.stat().st_size

    def open(self) -> IO[bytes]:
        return self.path.open("rb")


@dataclass
class Outcome:
    """What reading left: rows as dictionaries and rejects as (offset, reason, raw, length)."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    rejects: list[tuple[int, str, bytes, int | None]] = field(default_factory=list)

    def reject(self, raw: bytes, offset: int, reason: str, detail: str = "", length: int | None = None) -> None:
        self.rejects.append((offset, reason, raw, length))

    @property
    def texts(self) -> list[str]:
        return [row["text"] for row in self.rows]

    @property
    def reasons(self) -> list[tuple[int, str]]:
        return [(offset, reason) for offset, reason, _, _ in self.rejects]


@pytest.fixture
def put(tmp_path: Path) -> Callable[[str, bytes], LocalFile]:
    """Write bytes into a file of this name and return it as an input file."""

    def write(name: str, data: bytes) -> LocalFile:
        (tmp_path / name).write_bytes(data)
        return LocalFile(tmp_path / name, name)

    return write


@pytest.fixture(scope="session")
def read_all() -> Callable[..., Outcome]:
    """Prepare a reader, read all ranges of all files in order, and check that batches keep their promises."""

    def read(reader: Reader, *files: LocalFile, limits: ReadLimits | None = None) -> Outcome:
        outcome = Outcome()
        reader.prepare(list(files))
        worker = type(reader)(reader.options, reader.context)
        worker.restore(reader.state())
        expected = {**worker.adds(), "offset": "int64"}
        for file in files:
            for start, stop in worker.ranges(file):
                for batch in worker.read(Slice(file, start, stop, limits or ReadLimits()), outcome.reject):
                    batch.validate(full=True)
                    assert {one.name: str(one.type) for one in batch.schema} == {k: str(v) for k, v in expected.items()}
                    outcome.rows.extend(batch.to_pylist())
        return outcome

    return read


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real data that CORPUSMILL_TEST_DATA names."""
    folder = os.environ.get("CORPUSMILL_TEST_DATA")
    if not folder:
        pytest.skip("CORPUSMILL_TEST_DATA names no folder with real data")
    return Path(folder)
