"""The ground under every experiment: sizes, input folders, specs, and the commands that are compared."""

from __future__ import annotations

import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from measuring import Measured, measure

HERE = Path(__file__).parent
CLI = [sys.executable, "-c", "from corpusmill.cli import main; main()"]
CHAINS = {
    "heavy": ("clean.unicode", "filter.gopher-repetition", "filter.gopher-quality"),
    "light": ("filter.length, with: {min_chars: 200}",),
}
Row = dict[str, Any]


@dataclass(frozen=True)
class Scale:
    """How large the input is. `shard` is a bit above an even file, so that a file is a unit of work on both sides."""

    megabytes: float
    files: int
    small_files: int
    repetitions: int

    @property
    def shard(self) -> int:
        """Bytes of a unit of work."""
        return int(self.megabytes * 1e6 / self.files * 1.1)


SCALES = {
    "full": Scale(560, 10, 10_000, 9),
    "medium": Scale(120, 10, 2_000, 3),
    "small": Scale(30, 10, 1_000, 2),
}


class Bench:
    """Runs measured commands over the made input; each command gets a folder of its own, removed after it."""

    def __init__(self, scale: Scale, work: Path):
        self.scale, self.work, self.input = scale, work, work / "input"
        sizes = [str(one) for one in (scale.megabytes, scale.files, scale.small_files)]
        subprocess.run([sys.executable, HERE / "corpus.py", self.input, *sizes], check=True)

    def warm_up(self) -> None:
        """Fill the caches of byte code and compiled kernels once, for both sides."""
        for chain in CHAINS:
            self.engine(chain, "ten", "--executor", "inline")
            self.plain(chain, "ten", 1)

    def spec(self, chain: str, folder: str, shard: int | None = None) -> str:
        """The pipeline file of a chain over an input folder."""
        shard = shard or self.scale.shard
        reader = f"read.jsonl, with: {{paths: {self.input / folder}/*.jsonl, shard: {shard}}}"
        steps = "".join(f"  - {{uses: {one}}}\n" for one in (reader, *CHAINS[chain]))
        return f"corpusmill: 1\nname: bench\nsteps:\n{steps}"

    def engine(
        self,
        chain: str,
        folder: str,
        *options: str,
        sample: bool = False,
        shard: int | None = None,
        at: Path | None = None,
    ) -> Measured:
        """`corpusmill run` of a chain over an input folder, into a new store (or that of an earlier run, `at`)."""
        place = at or Path(tempfile.mkdtemp(dir=self.work))
        (place / "spec.yaml").write_text(self.spec(chain, folder, shard))
        try:
            return measure([*CLI, "run", "spec.yaml", "--quiet", *options], place, sample=sample)
        finally:
            if at is None:
                shutil.rmtree(place)

    def plain(self, chain: str, folder: str, processes: int) -> Measured:
        """The plain loop over the same files."""
        place = Path(tempfile.mkdtemp(dir=self.work))
        files = [str(path) for path in sorted((self.input / folder).glob("*.jsonl"))]
        command = [sys.executable, str(HERE / "plain_loop.py"), chain, str(processes), str(place), *files]
        try:
            return measure(command, place)
        finally:
            shutil.rmtree(place)


def interleaved(commands: dict[str, Any], repetitions: int) -> dict[str, list[Row]]:
    """Run every command once a round, every second round backwards; return each one's raw rows."""
    rows: dict[str, list[Row]] = {name: [] for name in commands}
    for turn in range(repetitions):
        for name in list(commands)[:: -1 if turn % 2 else 1]:
            rows[name].append(commands[name]().to_json())
    return rows


def median(rows: Sequence[Row], what: str) -> float:
    """The median of a raw number."""
    return statistics.median(row[what] for row in rows)


def net(rows: dict[str, list[Row]], name: str, start: str, what: str) -> float:
    """Median less the median of the start-up command."""
    return median(rows[name], what) - median(rows[start], what)


def net_ratio(rows: dict[str, list[Row]], ours: str, theirs: str, what: str) -> float:
    """Median over rounds of one command's number to another's, less the median of its start-up (`NAME, ten documents`).

    Within a round, because a shared machine may be a quarter faster in the next one.
    """
    starts = {name: median(rows[f"{name}, ten documents"], what) for name in (ours, theirs)}
    pairs = zip(rows[ours], rows[theirs], strict=True)
    return statistics.median((one[what] - starts[ours]) / (other[what] - starts[theirs]) for one, other in pairs)


def goal(value: float, limit: float, unit: str = "x") -> Row:
    """A figure beside its target."""
    return {"value": round(value, 3), "unit": unit, "target": limit, "met": bool(value <= limit)}
