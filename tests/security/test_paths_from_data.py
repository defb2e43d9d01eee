"""No name from data becomes the name of a file: ids, sources, labels and archive members stay inside documents."""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import re
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest

from corpusmill.errors import CorpusmillError
from corpusmill.plan.check import check
from corpusmill.runner.driver import RunOptions, run_spec
from corpusmill.spec import load

STORE_NAMES = re.compile(r"[A-Za-z0-9._/+@-]+")
EVIL = ["../../escaped", "/etc/escaped", "..\\escaped", "a/../../escaped", "escaped\0.txt", "~/escaped", "CON", "-rf"]
SPLITTER = '''
"""A splitter whose labels are paths."""

from corpusmill import Splitter, hookimpl


class Evil(Splitter):
    """Label rows by turns."""

    def labels(self):
        return ("../../escaped", "/tmp/escaped", "train")

    def split(self, batch):
        return [row % 3 for row in range(batch.num_rows)]


@hookimpl
def corpusmill_register(registry):
    registry.splitter("evil", "evil:Evil", "Label rows by turns.")
'''


def names_below(folder: Path) -> list[str]:
    return [str(path.relative_to(folder)) for path in folder.rglob("*")]


@pytest.fixture
def evil_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run, three folders down, over ids, sources and split labels that are paths; with an export."""
    folder = tmp_path / "a" / "b" / "c"
    folder.mkdir(parents=True)
    monkeypatch.chdir(folder)
    rows = [{"text": f"row {n} of {one}", "id": f"{one} {n}", "source": one} for n in range(2) for one in EVIL]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "evil.py").write_text(SPLITTER)
    steps: list[dict[str, Any]] = [
        {"id": "raw", "uses": "read.jsonl", "with": {"paths": "rows.jsonl", "id": "id", "columns": ["text", "source"]}},
        {"id": "short", "uses": "filter.length", "with": {"min_chars": 18}},
        {"id": "exact", "uses": "dedup.exact"},
        {"id": "split", "uses": "split.evil"},
        {"id": "lines", "uses": "write.jsonl", "with": {"path": "out/lines"}},
        {"id": "tables", "uses": "write.parquet", "needs": ["split"], "with": {"path": "out/tables"}},
    ]
    spec = {"corpusmill": 1, "name": "evil", "plugins": ["./evil.py"], "steps": steps}
    (folder / "mill.json").write_text(json.dumps(spec))
    run_spec(check(folder / "mill.json"), RunOptions(store=str(folder / "store"), debug=True))
    return tmp_path


def test_nothing_is_written_outside_store_and_export(evil_run: Path) -> None:
    """Above the folder of the run there is what was there before."""
    inside = evil_run / "a" / "b" / "c"
    assert {path.name for path in inside.iterdir()} == {"rows.jsonl", "evil.py", "mill.json", "store", "out"}
    assert [name for name in names_below(evil_run) if not name.startswith("a/b/c/")] == ["a", "a/b", "a/b/c"]
    assert not Path("/tmp/escaped").exists()


def test_no_file_is_named_by_a_document(evil_run: Path) -> None:
    """Store, run and export hold names of our own making; the export's labels became words without slashes."""
    inside = evil_run / "a" / "b" / "c"
    for folder in ("store", "out"):
        names = names_below(inside / folder)
        assert len(names) > 5
        assert [name for name in names if not STORE_NAMES.fullmatch(name) or "escaped/" in name] == []
    exported = {Path(name).name for name in names_below(inside / "out") if name.endswith((".parquet", ".jsonl"))}
    assert {name.partition("-")[0] for name in exported} == {"_escaped", "_tmp_escaped", "train"}


def test_what_was_in_the_documents_is_still_there(evil_run: Path) -> None:
    """Ids and sources are data: they come out as they went in."""
    paths = (evil_run / "a/b/c/out/lines").rglob("*.jsonl")
    rows = [json.loads(line) for path in paths for line in path.read_text("utf-8").splitlines()]
    assert rows
    assert {row["source"] for row in rows} <= set(EVIL)
    assert "../../escaped" in {row["source"] for row in rows}


@pytest.mark.parametrize("name", ["../up", "/abs", ".hidden", "a/b", "", "..", "a\x1b[31m", "a\nb"])
def test_a_pipeline_s_name_is_a_folder_of_its_own(name: str) -> None:
    """The one name that becomes a folder is the spec's own, and has to be fit for it."""
    _, problems = load({"corpusmill": 1, "name": name, "steps": []})
    assert any("name" in problem.what for problem in problems)


def bundle(kind: str) -> bytes:
    """An archive whose members want to be written elsewhere."""
    buffer = io.BytesIO()
    if kind == "zip":
        with zipfile.ZipFile(buffer, "w") as archive:
            for name in ("../../escaped.txt", "/tmp/escaped.txt"):
                archive.writestr(name, "text\n")
        return buffer.getvalue()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, sort, target in (
            ("../../escaped.txt", tarfile.REGTYPE, ""),
            ("link", tarfile.SYMTYPE, "/etc/passwd"),
            ("hard", tarfile.LNKTYPE, "../../escaped.txt"),
            ("device", tarfile.CHRTYPE, ""),
        ):
            member = tarfile.TarInfo(name)
            member.type, member.linkname = sort, target
            archive.addfile(member, io.BytesIO() if sort == tarfile.REGTYPE else None)
    return buffer.getvalue()


@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz"])
def test_members_of_archives_are_not_extracted(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Readers open streams, never archives: whatever becomes of the bytes, no member lands on disk."""
    inside = tmp_path / "a" / "b"
    inside.mkdir(parents=True)
    monkeypatch.chdir(inside)
    data = bundle(kind.partition(".")[0])
    (inside / f"rows.{kind}").write_bytes(gzip.compress(data) if kind.endswith("gz") else data)
    steps = [{"id": "raw", "uses": "read.text", "with": {"paths": f"rows.{kind}"}}]
    spec = {"corpusmill": 1, "name": "x", "limits": {"max_bad_fraction": 1.0}, "steps": steps}
    with contextlib.suppress(CorpusmillError):
        run_spec(check(spec), RunOptions(store=str(tmp_path / "store"), debug=True))
    found = [
        name for name in names_below(tmp_path) if "escaped" in name or name.endswith(("/link", "/hard", "/device"))
    ]
    assert found == []
    assert not Path("/tmp/escaped.txt").exists()


def test_no_source_extracts_an_archive(repository: Path) -> None:
    """Neither `tarfile` nor `zipfile` is used by engine or plugins."""
    paths = [path for root in ("engine", "plugins") for path in (repository / root).rglob("*.py")]
    users = [str(path) for path in paths if re.search(r"\b(tarfile|zipfile|unpack_archive)\b", path.read_text("utf-8"))]
    assert users == []
