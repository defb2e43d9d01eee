"""The soak: a million documents go through again and again while processes are killed at random; memory is watched.

CORPUSMILL_SOAK_MINUTES: how long (30); CORPUSMILL_SOAK_DOCUMENTS: how many (1,000,000).
"""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from statistics import median
from typing import Any

from mill import Mill, Trial, kill, kill_driver, until_alone

from corpusmill.runner.family import below

FILES = 200
EVERY = 10.0
"""Seconds between kills, on average."""
ODDS = {"worker": 6, "both workers": 1, "raylet": 1, "driver": 2}
FLAT = 1.25
"""So many times the peak of the first rounds in the last ones is a leak."""
STEPS: list[dict[str, Any]] = [
    {"id": "read", "uses": "read.jsonl", "with": {"paths": "data/*.jsonl", "shard": 1_000_000}},
    {"id": "long", "uses": "filter.length", "with": {"min_words": 4}},
    {"id": "exact", "uses": "dedup.exact"},
    {"id": "near", "uses": "dedup.minhash", "with": {"threshold": 0.8}},
    {"id": "split", "uses": "split.by-hash", "with": {"train": 0.9, "test": 0.1}},
    {"id": "export", "uses": "write.parquet", "with": {"path": "out/export"}},
]


def measure() -> dict[str, Any]:
    """Soak for the minutes asked for; return rounds, kills and memory, and what was not as promised."""
    minutes = float(os.environ.get("CORPUSMILL_SOAK_MINUTES", "30"))
    documents = int(os.environ.get("CORPUSMILL_SOAK_DOCUMENTS", "1000000"))
    folder = Path(tempfile.mkdtemp(prefix="soak-"))
    try:
        mill = Mill(folder / "mill", STEPS, files=0)
        write_documents(mill.root / "data", documents)
        calm = mill.trial()
        mill.finish(calm, "--workers", "2", executor="ray")
        soak = Soak(mill, documents, calm.published())
        shutil.rmtree(calm.folder)
        soak.run(minutes)
        return soak.report(minutes)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def write_documents(folder: Path, count: int) -> None:
    """Write so many small documents: each 20th too short, each 50th a copy of another, the rest random words."""
    words = [
        a + b + c for a in ("ba", "ke", "lo", "mi", "nu") for b in ("r", "st", "n") for c in ("a", "en", "o", "us")
    ]
    for file in range(FILES):
        draw, last = random.Random(file), ""
        with (folder / f"{file:04}.jsonl").open("w", encoding="utf-8") as stream:
            for row in range(file, count, FILES):
                number = row // FILES
                text = (
                    "Short." if number % 20 == 7 else last if number % 50 == 3 else " ".join(draw.choices(words, k=14))
                )
                stream.write(json.dumps({"text": text}) + "\n")
                last = text if number % 20 != 7 else last


class Soak:
    """Rounds of one pipeline, each in a new store, until the time is up."""

    def __init__(self, mill: Mill, documents: int, expected: dict[str, str]):
        self.mill, self.documents, self.expected = mill, documents, expected
        self.kills: Counter[str] = Counter()
        self.rounds, self.runs, self.stopped = 0, 0, 0
        self.trouble: list[str] = []
        self.peaks: dict[str, dict[int, float]] = {"driver": {}, "worker": {}}
        """Role -> round -> the most anonymous memory that one process of it held."""
        self._draw = random.Random(7)

    def run(self, minutes: float) -> None:
        """Go round until so many minutes are over; the round at hand is finished without kills."""
        ends = time.monotonic() + 60 * minutes
        while time.monotonic() < ends and not self.trouble:
            trial = self.mill.trial()
            self._round(trial, ends)
            shutil.rmtree(trial.folder)
            print(f"soak: round {self.rounds}, {sum(self.kills.values())} kills", file=sys.stderr, flush=True)

    def _round(self, trial: Trial, ends: float) -> None:
        while True:
            process = self.mill.start(trial, "--workers", "2", executor="ray")
            self.runs += 1
            over = threading.Event()
            watching = threading.Thread(target=self._watch, args=(process.pid, over))
            watching.start()
            while process.poll() is None:
                pause = self._draw.expovariate(1 / EVERY)
                with_kill = time.monotonic() + pause < ends
                try:
                    process.wait(min(pause, max(1.0, ends - time.monotonic())) if with_kill else 3600)
                except subprocess.TimeoutExpired:
                    self._strike(trial, process)
            over.set()
            watching.join()
            if process.returncode == 0:
                break
            self.stopped += process.returncode > 0
            try:
                until_alone(trial)
            except TimeoutError as error:
                self.trouble.append(str(error))
                return
        self._judge(trial)

    def _strike(self, trial: Trial, process: Any) -> None:
        victim = self._draw.choices(list(ODDS), list(ODDS.values()))[0]
        workers = [pid for pid in below([process.pid]) if _role(pid, process.pid) == "worker"]
        raylets = [pid for pid in below([process.pid]) if _role(pid, process.pid) == "raylet"]
        if victim == "driver":
            kill_driver(trial, process)
        elif victim == "raylet" and raylets:
            trial.killed |= below([process.pid])
            kill(raylets[0])
        elif victim != "raylet" and workers:
            for pid in workers if victim == "both workers" else [self._draw.choice(workers)]:
                kill(pid)
        else:
            return
        self.kills[victim] += 1

    def _watch(self, driver: int, over: threading.Event) -> None:
        """Note the most anonymous memory of the driver and of its largest worker in this round, once a second."""
        while not over.wait(1.0):
            held = {"driver": 0.0, "worker": 0.0}
            for pid in below([driver]):
                role = _role(pid, driver)
                if role in held:
                    held[role] = max(held[role], _anonymous(pid))
            for role, mb in held.items():
                self.peaks[role][self.rounds] = max(self.peaks[role].get(self.rounds, 0.0), mb)

    def _judge(self, trial: Trial) -> None:
        """Compare what the round published with the calm run, and add up its counts."""
        self.rounds += 1
        if trial.published() != self.expected:
            self.trouble.append(f"round {self.rounds} published other bytes")
        newest = max(trial.store.glob("runs/mill/*/outputs.json"), key=lambda path: path.stat().st_mtime_ns)
        outputs = json.loads(newest.read_bytes())
        for step, one in outputs["counts"].items():
            gone = sum(one["removed"].values()) + sum(one["quarantined"].values())
            if one["in"] + one.get("added", 0) != one["out"] + gone:
                self.trouble.append(f"round {self.rounds}: {step} lost count: {one}")
        if outputs["counts"]["read"]["in"] != self.documents:
            self.trouble.append(f"round {self.rounds} read {outputs['counts']['read']['in']} documents")

    def report(self, minutes: float) -> dict[str, Any]:
        """Return the section."""
        rows = []
        for role in ("driver", "worker"):
            peaks = [peak for _, peak in sorted(self.peaks[role].items())]
            thirds = [peaks[len(peaks) * part // 3 : len(peaks) * (part + 1) // 3] for part in range(3)]
            middles = [round(median(third)) if third else "" for third in thirds]
            rows.append([role, *middles, round(max(peaks, default=0.0))])
            first, last = middles[0], middles[2]
            if isinstance(first, int) and isinstance(last, int) and last > FLAT * first:
                self.trouble.append(f"the peak memory of the {role} grew from {first} to {last} MB over the rounds")
        struck = ", ".join(f"{number} x {victim}" for victim, number in self.kills.most_common())
        return {
            "title": f"Soak: random kills while {self.documents:,} documents go through",
            "columns": ["process", "peak in the first rounds, MB (median)", "in the middle", "in the last", "highest"],
            "rows": rows,
            "notes": [
                (
                    f"{minutes:g} minutes; {self.documents:,} documents a round in {FILES} files, on Ray with two "
                    "workers: length filter, exact and near deduplication, split, export."
                ),
                (
                    f"{sum(self.kills.values())} kills, one in {EVERY:g} s on average ({struck}). {self.runs} runs of "
                    f"the same command finished {self.rounds} rounds; {self.stopped} of them stopped by themselves."
                ),
                (
                    "Each round published the bytes of a calm run, and each step of it accounted for every "
                    "document: `read + added = kept + removed + quarantined`."
                ),
                (
                    "Memory is anonymous (RssAnon), sampled every second, of the driver and of its largest worker: the "
                    "peak of each round, and of these the median over the first third of the rounds, the middle and "
                    "the last."
                ),
            ],
            "failed": self.trouble,
        }


def _role(pid: int, driver: int) -> str:
    if pid == driver:
        return "driver"
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return ""
    if b"/raylet/raylet" in command.split(b"\0")[0]:
        return "raylet"
    # Ray's agents carry its mark, too.
    return "worker" if command.startswith(b"ray::") and b"Agent" not in command else ""


def _anonymous(pid: int) -> float:
    """Return the megabytes that are a process's own: mapped files of the store are the page cache's."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("RssAnon")), 0.0)
