"""A small mill for tests of whole runs: specs as Python values, a store of its own, operators that count calls."""

from __future__ import annotations

import itertools
import json
import random
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pytest

from corpusmill.dataset.hashing import hash_bytes
from corpusmill.dataset.manifest import Dataset
from corpusmill.dataset.storage import open_storage
from corpusmill.dataset.store import Store
from corpusmill.plan.check import check
from corpusmill.runner.driver import RunOptions, RunResult, run_spec
from corpusmill.runner.forecast import StageForecast, forecast

COUNTING = '''
"""Operators that note each call in the file of their option `log`, which no result depends on."""
import os
import pyarrow as pa
import pyarrow.compute as pc
from corpusmill import Annotator, Cleaner, Filter, at_most, hookimpl, option


def note(operator, rows):
    if operator.options.log:
        with open(operator.options.log, "a") as log:
            log.write(f"{operator.context.step} {rows}\\n")


class Mark(Cleaner):
    """Append a word to every text."""

    class Options(Cleaner.Options):
        word: str = option("x", help="the word")
        log: str = option("", help="file of calls", affects_result=False)

    def clean(self, batch):
        note(self, batch.num_rows)
        word = pa.scalar(f"MARK{self.options.word}", pa.large_string())
        texts = pc.binary_join_element_wise(batch.column(self.column), word, pa.scalar(" ", pa.large_string()))
        return batch.set_column(batch.schema.get_field_index(self.column), self.column, texts)


class Short(Filter):
    """Keep short texts."""

    class Options(Filter.Options):
        most: int = option(1000, help="most characters")
        log: str = option("", help="file of calls", affects_result=False)

    def measure(self, batch):
        note(self, batch.num_rows)
        return {"characters": pc.fill_null(pc.utf8_length(batch.column(self.column)), 0).to_numpy()}

    def rules(self):
        return [at_most("characters", self.options.most)]


class Random(Annotator):
    """Add a number that depends on the seed."""

    uses_seed = True

    class Options(Annotator.Options):
        log: str = option("", help="file of calls", affects_result=False)

    def adds(self):
        return {"number": pa.int64()}

    def annotate(self, batch):
        note(self, batch.num_rows)
        ids = batch.column("id").to_pylist()
        return {"number": pa.array([int(one[:6], 16) ^ self.seed for one in ids], pa.int64())}


class Explode(Filter):
    """Raise on texts with a word."""

    class Options(Filter.Options):
        word: str = option("poison", help="the word")

    def measure_text(self, text):
        if self.options.word in text:
            raise ValueError(f"{self.options.word} found")
        return {"length": float(len(text))}

    def rules(self):
        return [at_most("length", 1e9)]


class Place(Annotator):
    """Say where it runs."""

    def adds(self):
        return {"place": pa.string()}

    def annotate(self, batch):
        place = f"{self.context.device} {os.environ.get('CUDA_VISIBLE_DEVICES', 'any')}"
        return {"place": pa.array([place] * batch.num_rows, pa.string())}


@hookimpl
def corpusmill_register(registry):
    registry.cleaner("mark", "counting:Mark", "Append a word.")
    registry.filter("short", "counting:Short", "Keep short texts.")
    registry.annotator("random", "counting:Random", "Add a number.")
    registry.annotator("place", "counting:Place", "Say where it runs.")
    registry.filter("explode", "counting:Explode", "Raise on a word.")
'''

SENTENCE = """river stone bright morning window under the old and of a quiet letter with from garden bread music because
people walked through winter light over mountain paper not is was that city small open green"""
WORDS = tuple(SENTENCE.split())


class Mill:
    """A spec's folder with data beside it and a store; every run is of a real spec file, in this process by default."""

    def __init__(self, root: Path):
        self.root, self.store_uri = root, str(root / "store")
        self.log = root / "calls.log"
        (root / "counting.py").write_text(COUNTING)
        self._specs = itertools.count()

    def texts(self, count: int, seed: int = 0, words: int = 30) -> list[str]:
        """Make texts, every seventh a copy of an earlier one and every eleventh nearly one."""
        draw = random.Random(seed)
        made: list[str] = []
        for number in range(count):
            if number % 7 == 6:
                made.append(draw.choice(made))
            elif number % 11 == 10:
                made.append(draw.choice(made) + " indeed")
            else:
                made.append(" ".join(draw.choices(WORDS, k=draw.randrange(words // 2, words * 2))) + ".")
        return made

    def jsonl(self, name: str, rows: Iterable[str | dict[str, Any] | bytes]) -> Path:
        """Write rows: texts, records, or raw lines."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        records = [{"text": row} if isinstance(row, str) else row for row in rows]
        lines = [row if isinstance(row, bytes) else orjson.dumps(row) for row in records]
        path.write_bytes(b"".join(line + b"\n" for line in lines))
        return path

    def spec(self, steps: Sequence[dict[str, Any]], **top: Any) -> Path:
        """Write a spec file that knows the counting operators."""
        path = self.root / f"spec-{next(self._specs)}.yaml"
        content = {"corpusmill": 1, "name": "mill", "plugins": ["./counting.py"], "steps": list(steps), **top}
        path.write_text(json.dumps(content))
        return path

    def run(self, steps: Sequence[dict[str, Any]], *, store: str | None = None, **top: Any) -> RunResult:
        """Run steps; `executor`, `until` and `limit` are options of the run, everything else stands in the spec."""
        named = {name: top.pop(name) for name in ("executor", "until", "limit", "workers") if name in top}
        options = RunOptions(store=store or self.store_uri, debug="executor" not in named, **named)
        return run_spec(check(self.spec(steps, **top)), options)

    def outputs(self, store: str | None = None) -> dict[str, Any]:
        """Return `outputs.json` of the newest run."""
        folders = Store(store or self.store_uri).runs_root.glob("runs/*/*/outputs.json")
        newest: dict[str, Any] = orjson.loads(max(folders, key=lambda path: path.stat().st_mtime_ns).read_bytes())
        return newest

    def forecast(self, steps: Sequence[dict[str, Any]], **top: Any) -> dict[str, StageForecast]:
        """Return what a run would do, by stage."""
        return {stage.id: stage for stage in forecast(check(self.spec(steps, **top)), self.store_uri)}

    def rows(self, digest: str, store: str | None = None) -> list[dict[str, Any]]:
        """Return a dataset's rows."""
        dataset = Dataset.open(Store(store or self.store_uri), digest)
        return pa.Table.from_batches(list(dataset.batches()), schema=dataset.schema).to_pylist()

    def quarantine(self, outputs: dict[str, Any]) -> list[dict[str, Any]]:
        """Return the records in a run's quarantine files."""
        return [row for one in outputs["quarantines"] for row in self.table(one["path"])]

    def table(self, path: str) -> list[dict[str, Any]]:
        """Return the rows of a ledger or quarantine file."""
        rows: list[dict[str, Any]] = pa.ipc.open_file(path).read_all().to_pylist()
        return rows

    def tree(self, store: str | None = None) -> dict[str, str]:
        """Return name -> hash of bytes of all that a store holds beside run records, scratch and the file index."""
        storage = open_storage(store or self.store_uri)
        kept = ("datasets/", "files/", "commits/", "artifacts/")
        return {name: hash_bytes(storage.read(name)) for name in storage.list("") if name.startswith(kept)}

    def commits(self) -> dict[str, list[str]]:
        """Return the commit records' names by the kind of work they stand for."""
        kinds: dict[str, list[str]] = {"pass": [], "sketch": [], "other": []}
        for path in Path(self.store_uri).glob("commits/*/*.json"):
            record = orjson.loads(path.read_bytes())
            kind = "pass" if "damaged" in record else "sketch" if "keys" in record else "other"
            kinds[kind].append(path.stem)
        return kinds

    def calls(self) -> Counter[str]:
        """Return calls by step since the last time this was asked."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        self.log.unlink(missing_ok=True)
        return Counter(line.split()[0] for line in lines)

    def mark(self, step: str, **options: Any) -> dict[str, Any]:
        """A step that appends a word and notes its calls."""
        return {"id": step, "uses": "clean.mark", "with": {"word": step, "log": str(self.log), **options}}


@pytest.fixture(scope="session")
def new_mill(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Mill]:
    """Make mills: folders with nothing in common."""
    return lambda: Mill(tmp_path_factory.mktemp("mill"))


@pytest.fixture
def mill(new_mill: Callable[[], Mill]) -> Mill:
    """A mill in an empty folder."""
    return new_mill()
