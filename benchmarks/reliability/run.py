"""Proves the promises on this machine: python benchmarks/reliability/run.py [SECTION ...] [--scale small] [--render]

A section is a module beside this one with `measure()`, which returns {"title", "columns", "rows", "notes"} and, where
a promise was broken, "failed" (what, in words). Each runs in a process of its own; what it found goes, with machine,
versions and duration, to benchmarks/results/reliability/SECTION.json, and docs/reliability.md is rendered from all of
these files. `--render` runs nothing. Exit 1 when a section failed.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
import re
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
REPOSITORY = HERE.parents[1]
sys.path[:0] = [str(HERE)]

import page  # noqa: E402

RESULTS = REPOSITORY / "benchmarks" / "results" / "reliability"
PAGE = REPOSITORY / "docs" / "reliability.md"
APART = ("soak",)
"""Sections that run only when they are named: they take half an hour or more."""
SCALE = "CORPUSMILL_RELIABILITY_SCALE"
"""What `--scale` sets for the sections: `full`, or `small` for machines that others use, too."""
PACKAGES = ("corpusmill", "pyarrow", "numpy", "ray", "torch", "transformers")


def sections() -> list[str]:
    """All sections there are, in the order of the page: modules with a function `measure`."""
    found = [path.stem for path in HERE.glob("*.py") if re.search(r"^def measure\(", path.read_text("utf-8"), re.M)]
    return page.in_order(found)


def machine() -> dict[str, Any]:
    """What the figures were made on."""
    lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines() if Path("/proc/cpuinfo").exists() else []
    model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "processor": model or platform.processor(),
        "cores": os.cpu_count(),
        "memory_gb": round(memory / 1e9, 1),
        "system": platform.platform(),
    }


def measure(name: str) -> None:
    """Run one section in this process and write its result; exit 1 if it found a promise broken."""
    load, began = os.getloadavg(), time.monotonic()
    found: dict[str, Any] = importlib.import_module(name).measure()
    result = {
        **found,
        "section": name,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": round(time.monotonic() - began),
        "scale": os.environ.get(SCALE, "full"),
        "machine": machine(),
        "load": {"before": load[0], "after": os.getloadavg()[0]},
        "versions": {"python": platform.python_version()} | {one: version(one) for one in PACKAGES},
    }
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(page.section(result), flush=True)
    if found.get("failed"):
        raise SystemExit("\n".join([f"{name}: broken:", *found["failed"]]))


def render() -> str:
    """Return the page that the results there are make."""
    results = [json.loads(path.read_text("utf-8")) for path in sorted(RESULTS.glob("*.json"))]
    return page.render({one["section"]: one for one in results})


def main() -> None:
    """Run sections, each in a process of its own, and render the page."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=f"which; there are {', '.join(sections())}")
    parser.add_argument("--scale", choices=("full", "small"), default=os.environ.get(SCALE, "full"))
    parser.add_argument("--render", action="store_true", help="write docs/reliability.md from what was measured before")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    unknown = sorted(set(arguments.sections) - set(sections()))
    if unknown:
        raise SystemExit(f"no section {unknown[0]!r}; there are: {', '.join(sections())}")
    if arguments.here:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        measure(arguments.sections[0])
        return
    # Ctrl-C is for the section that runs: it may report what it has done so far.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    failed = []
    environment = {**os.environ, SCALE: arguments.scale, "RAY_USAGE_STATS_ENABLED": "0"}
    for name in [] if arguments.render else arguments.sections or [one for one in sections() if one not in APART]:
        print(f"== {name}", flush=True)
        if subprocess.run([sys.executable, __file__, name, "--here"], env=environment, check=False).returncode:
            failed.append(name)
    PAGE.write_text(render(), encoding="utf-8")
    print(f"page: {PAGE}")
    if failed:
        raise SystemExit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
