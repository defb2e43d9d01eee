"""A disk that really is full: the run stops with path, needed and free, and once there is room it goes on."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

LIMITED = """
import resource, sys
limit = int(sys.argv.pop(1))
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
from corpusmill.cli import main
main()
"""
"""The command under a limit on the size of files."""


def steps(pit: Any, out: Path) -> list[dict[str, Any]]:
    """A pass, a deduplicator, a tokenizer, an export."""
    pit.documents(files=4, rows=400)
    return [
        {"id": "read", "uses": "read.jsonl", "with": {"paths": "data/*.jsonl", "shard": "1 MB"}},
        pit.faulty(),
        {"id": "exact", "uses": "dedup.exact"},
        {"id": "words", "uses": "tokenizer.bpe", "needs": "exact", "with": {"size": 400}},
        {"id": "export", "uses": "write.jsonl", "needs": "exact", "with": {"path": str(out)}},
    ]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own with room for very little; needs the right to mount one."""
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(place)]
    mounted = subprocess.run(command, capture_output=True, check=False) if shutil.which("mount") else None
    if mounted is None or mounted.returncode:
        said = mounted.stderr.decode().strip() if mounted else "there is no mount"
        pytest.skip(f"no right to mount a small file system: {said}")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def leave_room(disk: Path, room: int) -> None:
    """Fill a disk but for so many bytes."""
    ballast = disk / "ballast"
    ballast.unlink(missing_ok=True)
    ballast.write_bytes(b"\0" * max(0, shutil.disk_usage(disk).free - room))


def test_a_full_disk_is_told_and_the_run_goes_on_with_room(pit: Any, small_disk: Path) -> None:
    """Room comes piece by piece: each time the run stops further on, with what is needed, or ends with calm bytes."""
    chain = steps(pit, small_disk / "out")
    spec, told, room = pit.spec(chain), [], 30_000
    while True:
        leave_room(small_disk, room)
        result = pit.call(spec, store=str(small_disk / "store"))
        if result.returncode == 0:
            break
        told.append(result.stderr)
        assert result.returncode == 1, result.stderr
        assert "Traceback" not in result.stderr
        assert re.search(r"no space left .*\d+ bytes free", result.stderr), result.stderr
        assert str(small_disk) in result.stderr
        assert "free some space" in result.stderr
        room += 120_000
        assert len(told) < 12, told
    assert len(told) >= 2, "the disk was never full"
    assert any(" needed" in one for one in told), told
    chain[-1]["with"]["path"] = str(pit.root / "calm-out")
    pit.run(chain, store="calm", debug=True)
    assert pit.tree(str(small_disk / "store")) == pit.tree("calm")
    assert [path.read_bytes() for path in sorted((small_disk / "out/data").iterdir())] == [
        path.read_bytes() for path in sorted((pit.root / "calm-out/data").iterdir())
    ]


def test_a_limit_on_file_sizes_is_told(pit: Any) -> None:
    """Under RLIMIT_FSIZE, which needs no rights: told like a full disk, with the limit; without it all ends well."""
    chain = steps(pit, pit.root / "out")[:3]
    spec = pit.spec(chain)
    command = [sys.executable, "-c", LIMITED, "8000", "run", str(spec), "--store", str(pit.store), "--quiet"]
    result = subprocess.run(
        [*command, "--executor", "inline"], capture_output=True, text=True, cwd=pit.root, check=False
    )
    assert result.returncode == 1, result.stderr
    assert "Traceback" not in result.stderr
    assert re.search(r"no space left .*\d+ bytes free.*limit on file sizes", result.stderr), result.stderr
    assert not (pit.store / "datasets").exists()
    assert pit.call(spec).returncode == 0
    pit.run(chain, store="calm", debug=True)
    assert pit.tree() == pit.tree("calm")
