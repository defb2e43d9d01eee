"""What the commit protocol costs: time inside it, and the same run with nothing forced to the disk."""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent / "engine")]

import corpus  # noqa: E402

SCALES = {"full": (1000.0, 16, 3), "small": (60.0, 6, 2)}
"""Megabytes of input, files, and rounds of the three runs that are compared."""
TARGET = 0.03
SPEC = """corpusmill: 1
name: commit-cost
steps:
  - {{uses: read.jsonl, with: {{paths: {input}/*.jsonl, shard: {shard}}}}}
  - {{uses: clean.unicode}}
  - {{uses: filter.gopher-repetition}}
  - {{id: quality, uses: filter.gopher-quality}}
  - {{id: exact, uses: dedup.exact}}
  - {{id: split, uses: split.by-hash, with: {{train: 0.9, validation: 0.05, test: 0.05}}}}
"""
SHOWN = {
    "fsync": "files and folders forced to the disk",
    "names": "renames, links, removals",
    "hashes": "hashes of files, as they are written and before they are first read",
    "digests": "digests of rows, which name the parts",
    "records": "commit records, packs, lists of parts, manifests (what is not counted above)",
}
"""What a run says of itself (`watched_run.py`), in words."""


def measure() -> dict[str, Any]:
    """Return the table: seconds of a run inside each part of the protocol, and their share."""
    megabytes, files, rounds = SCALES[os.environ.get("CORPUSMILL_RELIABILITY_SCALE", "full")]
    with tempfile.TemporaryDirectory() as folder:
        runs = _runs(Path(folder), megabytes, files, rounds)
    wall = {how: statistics.median(one["wall"] for one in done) for how, done in runs.items()}
    start = wall["start-up"]
    inside = {name: statistics.median(one["inside"][name] for one in runs["watched"]) for name in SHOWN}
    whole = wall["watched"] - start
    shares = [sum(one["inside"].values()) / (one["wall"] - start) for one in runs["watched"]]
    share = statistics.median(shares)
    rows = [[text, f"{inside[name]:.3f}", f"{inside[name] / whole:.2%}"] for name, text in SHOWN.items()]
    rows.append(["together", f"{sum(inside.values()):.3f}", f"{share:.2%}"])
    calls = runs["watched"][0]["calls"]
    return {
        "title": "What the commit protocol costs",
        "columns": ["part of the protocol", "seconds inside", "share of the run"],
        "rows": rows,
        "notes": [
            (
                f"Input: {megabytes:,.0f} MB of real documents in {files} files; `read.jsonl > clean.unicode > "
                f"filter.gopher-repetition > filter.gopher-quality > dedup.exact > split.by-hash`, inline; "
                f"{calls['fsync']} fsyncs, {calls['records']} records, lists and manifests."
            ),
            (
                f"Target: at most {TARGET:.0%} of a 1 GB run; here {share:.2%} ({_spread(shares)}), "
                f"{'met' if share <= TARGET else 'NOT met'}."
            ),
            (
                f"Time is wall time inside the functions, driver and worker added up; start-up ({start:.1f} s, the "
                f"same on ten documents) is taken off the whole ({whole:.1f} s). {rounds} rounds, interleaved; medians."
            ),
            (
                f"Beside it, the same run with fsync doing nothing, which no run of a user does: "
                f"{wall['unforced'] - start:.1f} s against {wall['calm'] - start:.1f} s with nothing watched "
                f"({(wall['calm'] - wall['unforced']) / (wall['calm'] - start):+.1%})."
            ),
        ],
        "raw": runs,
        "share": round(share, 5),
        "target": TARGET,
        "met": share <= TARGET,
    }


def _spread(shares: list[float]) -> str:
    return f"{min(shares):.2%} to {max(shares):.2%}"


def _runs(folder: Path, megabytes: float, files: int, rounds: int) -> dict[str, list[dict[str, Any]]]:
    """Make the input; run the pipeline calm, watched and unforced in turn, each into a store of its own."""
    texts = corpus.texts_at_hand()
    size = int(megabytes * 1e6)
    corpus.cut(corpus.lines_of(texts, size), folder / "input", files, size)
    (folder / "ten").mkdir()
    lines = [json.dumps({"text": text}) + "\n" for text in [one for one in texts if 1_000 < len(one) < 10_000][:10]]
    (folder / "ten/ten.jsonl").write_text("".join(lines), encoding="utf-8")
    shard = int(size / files * 1.1)
    specs = {name: _spec(folder, name, shard) for name in ("input", "ten")}
    _run("calm", specs["ten"], folder)  # caches of byte code and kernels
    found: dict[str, list[dict[str, Any]]] = {how: [] for how in ("start-up", "calm", "watched", "unforced")}
    for _ in range(rounds):
        for how, done in found.items():
            spec = specs["ten" if how == "start-up" else "input"]
            done.append(_run("calm" if how == "start-up" else how, spec, folder))
    return found


def _spec(folder: Path, name: str, shard: int) -> Path:
    path = folder / f"{name}.yaml"
    path.write_text(SPEC.format(input=folder / name, shard=shard), encoding="utf-8")
    return path


def _run(how: str, spec: Path, folder: Path) -> dict[str, Any]:
    """Run in a fresh process; the disk's queue is emptied first, so that nobody pays for the run before."""
    store, told = folder / "store", folder / "told.json"
    os.sync()
    command = [sys.executable, str(HERE / "watched_run.py"), how, str(told), str(spec), str(store)]
    subprocess.run(command, check=True, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    found: dict[str, Any] = json.loads(told.read_text())
    shutil.rmtree(store)
    return found
