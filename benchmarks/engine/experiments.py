"""What is measured: overhead, wall, memory, layouts, cold start, resume; raw rows and figures with goals."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

from bench import CLI, Bench, Row, goal, interleaved, median, net, net_ratio
from measuring import measure

INLINE = ("--executor", "inline")
RAY = ("--executor", "ray", "--workers", "2")
TEN_SHARD = 2_048
"""Shard size for the ten documents, so that both workers start for them."""


def overhead(bench: Bench) -> Row:
    """CPU of the engine inline against the plain loop's, start-up (ten documents) apart."""
    result: Row = {"raw": {}, "figures": {}}
    for chain, cpu_goal in (("heavy", 1.10), ("light", 1.25)):
        commands: dict[str, Any] = {
            "engine": lambda chain=chain: bench.engine(chain, "even", *INLINE),
            "loop": lambda chain=chain: bench.plain(chain, "even", 1),
            "engine, ten documents": lambda chain=chain: bench.engine(chain, "ten", *INLINE, shard=TEN_SHARD),
            "loop, ten documents": lambda chain=chain: bench.plain(chain, "ten", 1),
        }
        rows = interleaved(commands, bench.scale.repetitions)
        result["raw"][chain] = rows
        ours, theirs = (net(rows, name, f"{name}, ten documents", "cpu_s") for name in ("engine", "loop"))
        result["figures"][f"{chain}: CPU, engine / loop"] = goal(net_ratio(rows, "engine", "loop", "cpu_s"), cpu_goal)
        result["figures"][f"{chain}: CPU of the engine"] = _rate(bench, ours)
        result["figures"][f"{chain}: CPU of the loop"] = _rate(bench, theirs)
    return result


def wall(bench: Bench) -> Row:
    """Wall of Ray on two workers against a pool of two processes, start-up (ten documents) apart."""
    commands = {
        "ray": lambda: bench.engine("heavy", "even", *RAY),
        "pool": lambda: bench.plain("heavy", "even", 2),
        "ray, ten documents": lambda: bench.engine("heavy", "ten", *RAY, shard=TEN_SHARD),
        "pool, ten documents": lambda: bench.plain("heavy", "ten", 2),
    }
    rows = interleaved(commands, min(bench.scale.repetitions, 5))
    ratio = net_ratio(rows, "ray", "pool", "wall_s")
    return {"raw": rows, "figures": {"heavy: wall, Ray on two workers / pool of two": goal(ratio, 1.15)}}


def _rate(bench: Bench, seconds: float) -> Row:
    return {"value": round(bench.scale.megabytes / seconds, 1), "unit": "MB/s"}


def memory(bench: Bench) -> Row:
    """Peak resident memory (VmHWM) of driver and worker while the input grows; the copies are links to the files."""
    for factor in (1, 2, 4):
        folder = bench.input / f"times{factor}"
        folder.mkdir()
        for copy in range(factor):
            for path in sorted((bench.input / "even").iterdir()):
                (folder / f"copy{copy}-{path.name}").symlink_to(path)
    commands = {
        f"{name}, {factor}x": lambda factor=factor, options=options: bench.engine(
            "heavy", f"times{factor}", *options, sample=True
        )
        for name, options in (("inline", INLINE), ("ray", RAY))
        for factor in (1, 2, 4)
    }
    rows = interleaved(commands, min(bench.scale.repetitions, 3))
    figures = {}
    for name in ("inline", "ray"):
        for role in ("driver", "worker"):
            peaks = [max(row["peak_mb"][role] for row in rows[f"{name}, {factor}x"]) for factor in (1, 2, 4)]
            figures[f"{name}: {role} at 1x, 2x, 4x"] = {"value": peaks, "unit": "MB"}
            figures[f"{name}: {role}, 4x / 1x"] = goal(peaks[2] / peaks[0], 1.10)
    return {"raw": rows, "figures": figures}


def layout(bench: Bench) -> Row:
    """The same lines as many small files and as one file, against even files, on two workers."""
    commands = {
        name: lambda name=name: bench.engine("heavy", name, *RAY, sample=True) for name in ("even", "small", "one")
    }
    commands["ten"] = lambda: bench.engine("heavy", "ten", *RAY, sample=True, shard=TEN_SHARD)
    rows = interleaved(commands, min(bench.scale.repetitions, 3))
    figures = {}
    for name in ("small", "one"):
        ratio = net(rows, name, "ten", "wall_s") / net(rows, "even", "ten", "wall_s")
        figures[f"{name} / even: wall"] = goal(ratio, 1.5)
    for name in ("even", "small", "one"):
        busy = net(rows, name, "ten", "tree_cpu_s") / net(rows, name, "ten", "wall_s")
        figures[f"{name}: cores busy, of 2"] = {"value": round(busy, 2), "unit": "CPU s / wall s"}
    return {"raw": rows, "figures": figures}


def cold(bench: Bench) -> Row:
    """From nothing to the end: --help, and ten documents inline and on Ray."""
    commands = {
        "--help": lambda: measure([*CLI, "--help"], bench.work),
        "inline, light, ten documents": lambda: bench.engine("light", "ten", *INLINE),
        "inline, heavy, ten documents": lambda: bench.engine("heavy", "ten", *INLINE),
        "ray, heavy, ten documents": lambda: bench.engine("heavy", "ten", *RAY),
    }
    rows = interleaved(commands, 5)
    figures: Row = {}
    for name, measured in rows.items():
        walls = sorted(row["wall_s"] for row in measured)
        limit = 2.0 if name.startswith("inline") else None
        value = median(measured, "wall_s")
        figures[f"{name}: wall"] = goal(value, limit, "s") if limit else {"value": round(value, 3), "unit": "s"}
        figures[f"{name}: wall"]["least"] = walls[0]
        figures[f"{name}: CPU"] = {"value": round(median(measured, "cpu_s"), 3), "unit": "s"}
    return {"raw": rows, "figures": figures}


def resume(bench: Bench) -> Row:
    """A rerun with nothing to do, over even files and over many small ones."""
    rows, figures = {}, {}
    for folder in ("even", "small"):
        place = Path(tempfile.mkdtemp(dir=bench.work))
        bench.engine("heavy", folder, *INLINE, at=place)
        rows[folder] = [bench.engine("heavy", folder, *INLINE, at=place).to_json() for _ in range(5)]
        figures[f"{folder}: rerun, wall"] = {"value": round(median(rows[folder], "wall_s"), 3), "unit": "s"}
        shutil.rmtree(place)
    return {"raw": rows, "figures": figures}


EXPERIMENTS = {"overhead": overhead, "wall": wall, "memory": memory, "layout": layout, "cold": cold, "resume": resume}
