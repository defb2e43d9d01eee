"""Runs all benchmarks, or one group: python benchmarks/run.py [GROUP [OPTIONS OF THE GROUP]]"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
APART = ("reliability", "parity")
"""Groups that run only when they are named: proofs (`make reliability`), and what needs a peer's package."""


def main() -> None:
    """Run every group's `run.py`, one after the other; exit 1 if any failed."""
    groups = sorted(path.parent.name for path in HERE.glob("*/run.py"))
    name, options = (sys.argv[1], sys.argv[2:]) if len(sys.argv) > 1 else (None, [])
    if name is not None and name not in groups:
        raise SystemExit(f"no benchmarks {name!r}; there are: {', '.join(groups)}")
    failed = []
    for group in [name] if name else [one for one in groups if one not in APART]:
        print(f"== {group}", flush=True)
        if subprocess.run([sys.executable, HERE / group / "run.py", *options], check=False).returncode:
            failed.append(group)
    if failed:
        raise SystemExit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
