"""Mutated inputs by format and outcome: a bit flipped and the file cut at every percent, read as a run reads it.

Each format is looked at in a process of its own, so that one that dies is a figure and not the end of the rest.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from mutated_inputs import DIFFERING, EXACT, FEWER, FORMATS, REPORTED, Format, cuts, flips, outcome, read
from mutated_store import Victim, kinds_of, make_store

_RUN = [sys.executable, "-c", "from corpusmill.cli import main; main()", "run", "--executor", "inline", "--quiet"]
PERCENTS = range(100)
BITS = range(2 if os.environ.get("CORPUSMILL_RELIABILITY_SCALE") == "small" else 8)
NONE = "–"
COLUMNS = ["what", "change", "tried", EXACT, REPORTED, DIFFERING, FEWER, "reported with `checksums`", "dead processes"]

NOTES = [
    f"{len(BITS)} bits at each percent of a small file (one in files of the store), and a cut at each percent.",
    "*exact*: the rows of the untouched file. *reported*: an error that names the file, or a record in quarantine.",
    "*differing*: as many rows, not all the same, unnoticed. *fewer*: rows lost unnoticed.",
    "A text, a JSON value, a header of a WARC record and a Parquet page without checksum have no redundancy.",
    "A file that is cut between two records, or between two gzip members, is a shorter whole file.",
    "The reader's option `checksums` compares each file before it is read, and finds all of them.",
    "Arrow files are no input of any reader; those of the store are below.",
    "Files of the store: *reported* is found by `corpusmill verify`, and nothing wrong comes of using the file.",
    "*dead processes*: readers that died, and runs over all the changed files that did not end well.",
]


def measure() -> dict[str, Any]:
    """Mutate a small file of every format and of every kind in a store; return the figures as a table."""
    rows = [row for index in range(len(FORMATS)) for row in _in_child(index)]
    with tempfile.TemporaryDirectory() as folder:
        rows += list(_store_rows(Path(folder)))
    failed = [f"{row[0]}, {row[1]}" for row in rows if broken(dict(zip(COLUMNS, row, strict=True)))]
    return {"title": "Mutated inputs", "columns": COLUMNS, "rows": rows, "notes": NOTES, "failed": failed}


def broken(row: dict[str, Any]) -> bool:
    """Return whether a row of the table breaks a promise: something died, or passed a list or a checksum."""
    if row["dead processes"] or row["reported with `checksums`"] not in (row["tried"], NONE):
        return True
    if row["what"].startswith("store: "):
        return bool(row[REPORTED] != row["tried"])
    known = next(one for one in FORMATS if one.name == row["what"])
    if row["change"] == "bit" and not known.letters and row[FEWER]:
        return True
    return known.checksummed and bool(row[DIFFERING] or (row["change"] == "bit" and row[FEWER]))


def _in_child(index: int) -> list[list[Any]]:
    ended = subprocess.run([sys.executable, __file__, str(index)], capture_output=True, text=True, check=False)
    if ended.returncode == 0:
        rows: list[list[Any]] = json.loads(ended.stdout)
        return rows
    print(ended.stderr[-2000:], file=sys.stderr)
    return [[FORMATS[index].name, "any", 0, 0, 0, 0, 0, NONE, 1]]


def format_rows(format_: Format, percents: range = PERCENTS, bits: range = BITS) -> Iterator[list[Any]]:
    """Yield a row of the table for flips and one for cuts."""
    data = format_.make()
    whole, _ = read(format_, data)
    for change, changed in (("bit", flips(data, percents, bits)), ("cut", cuts(data, percents))):
        found: Counter[str] = Counter()
        with tempfile.TemporaryDirectory() as folder:
            for one in changed:
                found[outcome(format_, whole, one)] += 1
                found["checksums"] += found_by_checksums(format_, data, one, Path(folder))
        yield _row(format_.name, change, found, found.pop("checksums"))


def found_by_checksums(format_: Format, data: bytes, changed: bytes, folder: Path) -> bool:
    """Return whether the unit that looks at input files refuses changed data whose true checksum is listed."""
    from types import SimpleNamespace

    from corpusmill.runner.files import LocalFile
    from corpusmill.runner.identify_unit import run_identify

    (folder / format_.file).write_bytes(changed)
    file = LocalFile(format_.file, str(folder / format_.file), len(changed))
    promised = {format_.file: f"sha256:{hashlib.sha256(data).hexdigest()}"}
    payload = {"reader": None, "files": [file.to_json()], "checksums": promised, "listed": "SHA256SUMS"}
    plain = SimpleNamespace(counts="bytes", ranges=lambda file: [(0, file.size)])
    workspace: Any = SimpleNamespace(operator=lambda recipe: plain)
    return bool(run_identify(payload, workspace, "key")["damaged"])


def driver_survives(format_: Format, percents: range) -> bool:
    """Run a pipeline over a whole file and mutated ones beside it; return whether it ends well with the whole file."""
    from corpusmill.dataset.manifest import Dataset
    from corpusmill.dataset.store import Store

    data = format_.make()
    expected = len(read(format_, data)[0])
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        files = {"whole": data, **{f"bit-{n}": one for n, one in enumerate(flips(data, percents))}}
        for name, one in {**files, **{f"cut-{n}": one for n, one in enumerate(cuts(data, percents))}}.items():
            path = root / "data" / f"{name}{format_.file[1:]}"
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(one)
        options = {"paths": "data/*", "input": "mutated", **format_.options}
        uses = f"read.{format_.reader.partition(':')[0]}"
        spec = {"corpusmill": 1, "name": "mutated", "steps": [{"id": "read", "uses": uses, "with": options}]}
        limits = {"on_corrupt_file": "quarantine", "max_bad_fraction": 1}
        (root / "spec.json").write_text(json.dumps({**spec, "limits": limits}), encoding="utf-8")
        ended = subprocess.run(
            [*_RUN, str(root / "spec.json"), "--store", str(root / "store")], check=False, stdout=subprocess.DEVNULL
        )
        (outputs,) = root.glob("store/runs/mutated/*/outputs.json")
        told = json.loads(outputs.read_bytes())
        dataset = Dataset.open(Store(str(root / "store")), told["outputs"]["read"]["digest"])
        names = [name for batch in dataset.batches(["file"]) for name in batch.column("file").to_pylist()]
        return ended.returncode == 0 and names.count(f"whole{format_.file[1:]}") == expected


def _store_rows(folder: Path) -> Iterator[list[Any]]:
    uri = make_store(folder)
    for kind, name in sorted(kinds_of(uri).items()):
        victim = Victim(uri, name)
        changes: Iterable[tuple[str, Iterator[bytes]]] = (
            ("bit", flips(victim.data, PERCENTS)),
            ("cut", cuts(victim.data, PERCENTS)),
        )
        for change, changed in changes:
            found: Counter[str] = Counter()
            for one in changed:
                known, truthful = victim.meets(one)
                found[REPORTED if known and truthful else DIFFERING] += 1
            yield _row(f"store: {kind}", change, found, NONE)


def _row(what: str, change: str, found: Counter[str], checksums: int | str) -> list[Any]:
    return [what, change, found.total(), *(found[one] for one in (EXACT, REPORTED, DIFFERING, FEWER)), checksums, 0]


if __name__ == "__main__":
    one = FORMATS[int(sys.argv[1])]
    dead = 0 if driver_survives(one, PERCENTS) else 1
    print(json.dumps([[*row[:-1], dead] for row in format_rows(one)]))
