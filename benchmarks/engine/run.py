"""Measures the engine: python benchmarks/engine/run.py [--scale small|medium|full] [--only NAME ...]

Input: real documents from the folder that CORPUSMILL_TEST_DATA names. The result, every raw number included, goes to
benchmarks/results/engine.json (`--scale small` looks for hot spots and writes only where --result says).
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import sys
import tempfile
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from bench import CHAINS, SCALES, Bench
from experiments import EXPERIMENTS

RESULT = Path(__file__).parents[1] / "results" / "engine.json"
PACKAGES = ("corpusmill", "pyarrow", "numpy", "numba", "orjson", "xxhash", "ray", "pydantic", "click")


def machine() -> dict[str, Any]:
    """What the figures were made on."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "processor": model or platform.processor(),
        "cores": os.cpu_count(),
        "memory_gb": round(memory / 1e9, 1),
        "system": platform.platform(),
    }


def print_table(name: str, figures: dict[str, Any]) -> None:
    """Print figures, with a mark where a target is missed."""
    for what, one in figures.items():
        target = f"  target <= {one['target']:g}: {'met' if one['met'] else 'MISSED'}" if "target" in one else ""
        least = f"  least {one['least']:g}" if "least" in one else ""
        print(f"{name:9} {what:48} {one['value']!s:>24} {one['unit']}{least}{target}", flush=True)


def main() -> None:
    """Measure and write the result."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--scale", choices=SCALES, default="full")
    parser.add_argument("--only", choices=EXPERIMENTS, action="append")
    parser.add_argument("--result", type=Path, help=f"where figures go; default at full scale: {RESULT}")
    parser.add_argument("--folder", help="where input and stores are made; about 10 GB at full scale")
    arguments = parser.parse_args()
    if not os.environ.get("CORPUSMILL_TEST_DATA"):
        raise SystemExit("set CORPUSMILL_TEST_DATA to the folder of test data")
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    scale, load = SCALES[arguments.scale], os.getloadavg()
    work = Path(tempfile.mkdtemp(prefix="corpusmill-bench-", dir=arguments.folder))
    try:
        bench = Bench(scale, work)
        bench.warm_up()
        measured = {}
        for name in arguments.only or EXPERIMENTS:
            measured[name] = EXPERIMENTS[name](bench)
            print_table(name, measured[name]["figures"])
    finally:
        shutil.rmtree(work)
    result = {
        "command": f"python benchmarks/engine/run.py {' '.join(sys.argv[1:])}".strip(),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "scale": asdict(scale) | {"name": arguments.scale},
        "chains": {name: ["read.jsonl", *steps] for name, steps in CHAINS.items()},
        "method": "each measurement is a fresh process, byte code and kernels cached before; rounds are interleaved; "
        "figures are medians over rounds; ratios of CPU and wall are taken within a round, with the median of the same "
        "command on ten documents subtracted on both sides; CPU counts exited "
        "children (RUSAGE_CHILDREN); tree_cpu_s is sampled over all processes of a Ray run every 50 ms",
        "machine": machine(),
        "load_before": load,
        "load_after": os.getloadavg(),
        "versions": {"python": platform.python_version()} | {name: version(name) for name in PACKAGES},
        "experiments": measured,
    }
    target = arguments.result or (RESULT if arguments.scale == "full" else None)
    if target is not None:
        target = target.resolve()
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(json.dumps(_kept(target, result, partial=bool(arguments.only)), indent=1) + "\n")
        print(f"figures: {target}")


def _kept(target: Path, result: dict[str, Any], *, partial: bool) -> dict[str, Any]:
    """With --only, the other experiments of an earlier result stay."""
    if partial and target.exists():
        earlier = json.loads(target.read_text())
        for name, one in earlier["experiments"].items():
            result["experiments"].setdefault(name, {**one, "measured": one.get("measured", earlier["date"])})
    return result


if __name__ == "__main__":
    main()
