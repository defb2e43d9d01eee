"""Input that changes while a run reads it: told when its shard would be committed; the next run reads it anew."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from corpusmill.errors import InputError

PLUGIN = '''
import os
from pathlib import Path
from corpusmill import Filter, at_most, hookimpl, option
import numpy as np


class Meddling(Filter):
    """Do something to an input file in the middle of it, once."""

    class Options(Filter.Options):
        at: str = option("", help="a word: the batch that has it is the moment", affects_result=False)
        script: str = option("", help="file with what to do, as Python; gone once it is done", affects_result=False)

    def measure(self, batch):
        texts = batch.column("text").to_pylist()
        script = Path(self.options.script)
        if self.options.script and script.exists() and any(self.options.at in text for text in texts):
            code = script.read_text()
            script.unlink()
            exec(code)
        return {"characters": np.array([len(text) for text in texts], float)}

    def rules(self):
        return [at_most("characters", 100000)]


@hookimpl
def corpusmill_register(registry):
    registry.filter("meddling", ":Meddling", "Meddle.")
'''
ROWS = 3000
EARLY, LATE = "number 00010,", f"number {ROWS - 10:05},"


def texts() -> list[str]:
    """2 MB: more than a reader holds at a time, in a hundred batches."""
    return [f"This is document number {number:05}, " + f"word{number * 7919 % 1009:04} " * 70 for number in range(ROWS)]


def lines() -> bytes:
    return b"".join(json.dumps({"text": text}).encode() + b"\n" for text in texts())


def table() -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({"text": texts()}), sink, row_group_size=100, compression="none", use_dictionary=False)
    return sink.getvalue().to_pybytes()


FORMATS: dict[str, tuple[str, str, Callable[[], bytes]]] = {
    "lines": ("read.jsonl", "jsonl", lines),
    "gzip": ("read.jsonl", "jsonl.gz", lambda: gzip.compress(lines(), 1, mtime=0)),
    "parquet": ("read.parquet", "parquet", table),
}
WRITE = """
status = os.stat(path)
with open(path, "r+b") as stream:
    stream.seek({place})
    old = stream.read(1)
    stream.seek({place})
    stream.write(bytes([old[0] ^ 1]))
os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
"""
"""One bit of one byte; size and time of writing are as before."""
CHANGES = {
    "behind the reader": WRITE.format(place=100),
    "before the reader": WRITE.format(place="status.st_size - 3000"),
    "replaced": "other = path.with_name('other')\nother.write_bytes(path.read_bytes()[::-1])\nos.replace(other, path)",
    "truncated": "os.truncate(path, os.stat(path).st_size // 2)",
    "appended": "with open(path, 'ab') as stream: stream.write(b'{\"text\": \"one more\"}\\n')",
    "deleted": "path.unlink()",
}


def steps(root: Path, reader: str, script: str = "") -> list[dict[str, Any]]:
    return [
        {"id": "read", "uses": reader, "with": {"paths": "data/*", "shard": 64 << 20}},
        {"id": "look", "uses": "filter.meddling", "with": {"at": EARLY, "script": script and str(root / "script.py")}},
    ]


@pytest.fixture
def meddler(pit: Any) -> Any:
    """A pit with another plugin."""
    (pit.root / "faulty.py").write_text(PLUGIN, encoding="utf-8")
    (pit.root / "data").mkdir()
    return pit


def run(pit: Any, reader: str, change: str, store: str = "store") -> Any:
    (pit.root / "script.py").write_text(f"path = next(Path({str(pit.root / 'data')!r}).iterdir())\n{change}")
    return pit.run(steps(pit.root, reader, "script"), store=store, debug=True, run={"batch_bytes": "32 KB"})


@pytest.mark.parametrize("form", FORMATS)
def test_a_change_in_the_middle_of_a_file_is_told(meddler: Any, form: str) -> None:
    """Whatever was done to it, before or behind where the reader stands: nothing is committed; then it is read anew."""
    reader, suffix, make = FORMATS[form]
    path, whole = meddler.root / f"data/a.{suffix}", make()
    for name, change in CHANGES.items():
        path.write_bytes(whole)
        store = f"store-{name.replace(' ', '-')}"
        with pytest.raises(InputError, match="is gone since" if name == "deleted" else "changed while") as caught:
            run(meddler, reader, change, store)
        assert not (meddler.root / "script.py").exists(), "the change was never made"
        assert "run the same command again" in str(caught.value), name
        kept = {kind for kind in ("commits", "datasets") if (meddler.root / store / kind).exists()}
        assert not kept, f"{name}: {kept}"
        path.write_bytes(whole)
        made = run(meddler, reader, "", store).outputs["outputs"]["look"]
        assert made["rows"] == ROWS, name


def test_what_only_looks_changed_is_taken(meddler: Any) -> None:
    """Touched, or copied over with the same bytes by a rename: the run ends well."""
    reader, suffix, make = FORMATS["lines"]
    (meddler.root / f"data/a.{suffix}").write_bytes(make())
    same = "other = path.with_name('.other')\nother.write_bytes(path.read_bytes())\nos.replace(other, path)"
    for store, change in (("one", "path.touch()"), ("two", same)):
        assert run(meddler, reader, change, store).outputs["outputs"]["look"]["rows"] == ROWS
        assert not (meddler.root / "script.py").exists()
    assert meddler.tree("one") == meddler.tree("two")


def test_what_is_appended_behind_a_shard_does_not_concern_it(meddler: Any) -> None:
    """A log that grows: shards before its last are committed; the last is told as changed, for it has no end yet."""
    reader, suffix, make = FORMATS["lines"]
    path = meddler.root / f"data/a.{suffix}"
    path.write_bytes(make())
    chain = steps(meddler.root, reader, "script")
    chain[0]["with"]["shard"] = 1 << 18
    (meddler.root / "script.py").write_text(
        f"path = Path({str(path)!r})\nwith open(path, 'ab') as stream: stream.write(b'{{\"text\": \"more\"}}\\n')"
    )
    with pytest.raises(InputError, match="changed while"):
        meddler.run(chain, debug=True)
    committed = len(list(meddler.store.glob("commits/*/*.json")))
    assert committed >= 3
    assert meddler.run(chain, debug=True).outputs["outputs"]["look"]["rows"] == ROWS + 1
    assert len(list(meddler.store.glob("commits/*/*.json"))) == committed + 1


def test_the_same_size_and_time_between_two_runs(meddler: Any) -> None:
    """A file that was changed and had its time put back is not taken for the one that was read before."""
    path = meddler.root / "data/a.jsonl"
    path.write_text(json.dumps({"text": "the old text"}) + "\n")
    first = meddler.run(steps(meddler.root, "read.jsonl"), debug=True).outputs["outputs"]["look"]["digest"]
    status = os.stat(path)
    path.write_text(json.dumps({"text": "the new text"}) + "\n")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    again = meddler.run(steps(meddler.root, "read.jsonl"), debug=True)
    assert again.outputs["outputs"]["look"]["digest"] != first
    assert [row["text"] for row in meddler.rows(again.outputs, "look")] == ["the new text"]
