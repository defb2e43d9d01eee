"""Kernels are compiled once, into a folder that can be written, by any number of processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from corpusmill_plugins.kernels import compiled, warm

OPERATORS = """
import pyarrow as pa
from corpusmill_plugins.dedup.minhash import MinHashDuplicates
from corpusmill_plugins.filters.gopher_quality import GopherQuality
from corpusmill_plugins.filters.gopher_repetition import GopherRepetition

rows = pa.record_batch({"text": pa.array(["One text.", None, "\\u4e2d\\u6587"], pa.large_string())}).slice(1)
MinHashDuplicates().sketch(rows)
for dialect in ("datatrove", "dolma", "dclm"):
    GopherQuality(GopherQuality.Options(dialect=dialect)).judge(rows)
    GopherRepetition(GopherRepetition.Options(dialect=dialect)).judge(rows)
"""
REPORT = """
import json, sys
from numba.core.dispatcher import Dispatcher
from corpusmill_plugins.kernels import compiled, warm

warm.warm(*sys.argv[1:])
{work}
found = {{"folder": str(compiled.cache_folder()), "hits": 0, "misses": 0}}
for name, module in list(sys.modules.items()):
    if name.startswith("corpusmill_plugins.kernels."):
        for one in vars(module).values():
            if isinstance(one, Dispatcher) and one.__module__ == name:
                found["hits"] += sum(one.stats.cache_hits.values())
                found["misses"] += sum(one.stats.cache_misses.values())
print(json.dumps(found))
"""


def start(cache: Path, *families: str, work: str = "") -> subprocess.Popen[str]:
    command = [sys.executable, "-c", REPORT.format(work=work), *families]
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(cache)}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(process: subprocess.Popen[str]) -> dict[str, object]:
    output, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    found: dict[str, object] = json.loads(output)
    return found


def test_processes_that_start_together_both_compile_and_leave_a_good_cache(tmp_path: Path) -> None:
    """Two cold processes on one empty cache both succeed; a third finds everything compiled."""
    both = [finish(process) for process in [start(tmp_path, "signatures"), start(tmp_path, "signatures")]]
    third = finish(start(tmp_path, "signatures"))
    assert both[0]["misses"]
    assert {str(one["folder"]) for one in [*both, third]} == {str(tmp_path / f"corpusmill-{compiled.sources_digest()}")}
    assert third["misses"] == 0
    assert third["hits"]


def test_warm_leaves_nothing_to_compile() -> None:
    """After `warm()` in one process another loads all kernels from the cache, and operators compile nothing more."""
    warm.warm()
    found = finish(start(compiled.cache_folder().parent, work=OPERATORS))
    assert found["misses"] == 0
    assert found["hits"]


@pytest.fixture
def bases(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Path]:
    """The places a cache may lie in, all in a folder of the test; the package's own cannot be written."""
    places = {"package": tmp_path / "package", "user": tmp_path / "user", "temporary": tmp_path / "temporary"}
    for place in places.values():
        place.mkdir()
    (places["package"] / "__pycache__").write_text("a file where the folder would be: not even root can write in it")
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(places["user"]))
    monkeypatch.setattr(compiled, "__file__", str(places["package"] / "compiled.py"))
    monkeypatch.setattr(compiled.tempfile, "gettempdir", lambda: str(places["temporary"]))
    return places


def test_a_package_that_cannot_be_written_caches_elsewhere(bases: dict[str, Path]) -> None:
    """Read-only site-packages: the user's cache folder takes the kernels."""
    folder = compiled.cache_folder.__wrapped__()
    assert folder.parent == bases["user"] / "corpusmill"
    assert folder.stat().st_mode & 0o077 == 0


def test_without_a_home_the_temporary_folder_serves(bases: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """No package, no home: a private folder in the temporary one; a folder that others may write is refused."""
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.delenv("HOME", raising=False)
    folder = compiled.cache_folder.__wrapped__()
    assert folder.parent == bases["temporary"] / f"corpusmill-{os.getuid()}"
    folder.chmod(0o777)
    other = compiled.cache_folder.__wrapped__()
    assert other != folder
    assert other.stat().st_mode & 0o022 == 0
    other.rmdir()


def test_the_variable_of_numba_comes_first(bases: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """`NUMBA_CACHE_DIR` is obeyed."""
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(bases["temporary"]))
    assert compiled.cache_folder.__wrapped__().parent == bases["temporary"]


def test_the_digest_sees_every_source(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A change of any kernel, or of a constant in `plain`, is another folder: no stale kernel is loaded."""
    monkeypatch.setattr(compiled, "__file__", str(tmp_path / "compiled.py"))
    (tmp_path / "plain").mkdir()
    seen = set()
    for name, text in (("a.py", "x = 1"), ("a.py", "x = 2"), ("plain/b.py", "y = 1"), ("plain/b.py", "y = 2")):
        (tmp_path / name).write_text(text)
        seen.add(compiled.sources_digest.__wrapped__())
    assert len(seen) == 4
