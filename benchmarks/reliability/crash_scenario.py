"""The run that is crashed: three shards, a filter, a dedup, a split, a tokenizer, an export that replaces another."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from corpusmill.dataset.disk import Disk
from corpusmill.dataset.hashing import hash_bytes, hash_file
from corpusmill.dataset.inventory import Inventory
from corpusmill.dataset.store import Store
from corpusmill.dataset.verification import verify_files
from corpusmill.errors import CorpusmillError
from corpusmill.plan.check import check
from corpusmill.plugin.hookspecs import hookimpl
from corpusmill.runner import driver, worker
from corpusmill.runner.driver import RunOptions, run_spec
from corpusmill.runner.export_folder import MANIFEST, manifest_bytes

PUBLISHED = ("datasets/", "files/", "artifacts/")
_SENTENCE = "river stone bright morning window under the old and quiet letter garden bread music people walk"
_WORDS = tuple(_SENTENCE.split())
_MERGED_FROM = 10
"""Records that are merged at the end of the run, so that packs are written and records deleted, too."""


class Scenario:
    """A spec with its documents in `root`, and `base`, the folder that a crash test may wipe: store and export."""

    def __init__(self, root: Path):
        self.root, self.base = root, root / "base"
        self.export = self.base / "out" / "export"
        self.base.mkdir(parents=True)
        (root / "data").mkdir()
        for file in range(3):
            lines = [json.dumps({"text": _text(file, row)}) for row in range(10)] + ['{"text": cut']
            (root / f"data/{file}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
        (root / "crash.yaml").write_text(json.dumps(_spec(self.export)), encoding="utf-8")
        self.checked = check(root / "crash.yaml")
        self.swaps = _swaps(root)

    def run(self, uri: str, *, phases: Callable[[str], None] = lambda phase: None) -> dict[str, Any]:
        """Run as a new process would: nothing is remembered from the run before. Returns what `outputs.json` says."""
        worker._workspaces.clear()
        with patch.object(driver, "LEFT_OVER", _MERGED_FROM):
            phases("start")
            try:
                options = RunOptions(store=uri, debug=True)
                return run_spec(self.checked, options, [_Phases(phases)]).outputs
            finally:
                worker._workspaces.clear()

    def published(self, uri: str) -> dict[str, str]:
        """Return name -> hash of all that is published: in the store, in its commit records, in the export."""
        store = Store(uri)
        found = {name: hash_bytes(store.storage.read(name)) for name in _names(store)}
        found |= {f"commit {key}": hash_bytes(record or b"") for _, key, record in store.commits.every()}
        return found | {f"export {name}": hash_file(path)[0] for name, path in self._exported()}

    def not_whole(self, uri: str) -> list[str]:
        """Return what a record, a manifest or the export names and is not there with the bytes that it promises."""
        inventory = Inventory(Store(uri))
        inventory.add_all()
        problems = [f"{one.name} {one.problem}" for one in verify_files(inventory).findings]
        if (self.export / MANIFEST).is_file():
            manifest = json.loads((self.export / MANIFEST).read_bytes())
            for one in manifest["files"]:
                path = self.export / one["name"]
                if not path.is_file() or hash_file(path)[0] != one["xxh3_128"]:
                    problems.append(f"export {one['name']} is not whole")
        elif self.swaps:
            problems.append("neither the old nor the new export is in its place")
        return problems

    def wipe(self) -> None:
        """Empty `base`."""
        shutil.rmtree(self.base)
        self.base.mkdir()

    def lay_earlier_export(self) -> None:
        """Lay out what another plan exported to the same place."""
        data, name = b"rows of another plan", "data/train-00000-of-00001.parquet"
        (self.export / "data").mkdir(parents=True)
        (self.export / name).write_bytes(data)
        facts = {"key": "0" * 32, "digest": "0" * 32, "files": [{"name": name, "xxh3_128": hash_bytes(data)}]}
        (self.export / MANIFEST).write_bytes(manifest_bytes(facts))

    def _exported(self) -> Iterator[tuple[str, Path]]:
        out = self.base / "out"
        for path in sorted(out.rglob("*")) if out.is_dir() else ():
            if path.is_file():
                yield path.relative_to(out).as_posix(), path


def differences(expected: Mapping[str, str], found: Mapping[str, str]) -> list[str]:
    """Return in words what two `published` differ in."""
    return [
        f"{name}: {'missing' if name not in found else 'not expected' if name not in expected else 'other bytes'}"
        for name in sorted(expected.keys() | found.keys())
        if expected.get(name) != found.get(name)
    ]


def told_well(error: CorpusmillError) -> bool:
    """Say whether an error names the place and what to do next."""
    return bool(error.what and error.where and error.hint)


@contextmanager
def attempts_repeated() -> Iterator[None]:
    """Let every unit of work be done twice, as when a worker is thought dead, lives on, and its successor does it."""
    from corpusmill.runner import inline

    once = inline.run_unit

    def twice(*arguments: Any) -> Any:
        once(*arguments)
        return once(*arguments)

    with patch.object(inline, "run_unit", twice):
        yield


class _Phases:
    """Tells which stage is at work."""

    def __init__(self, told: Callable[[str], None]):
        self._told = told

    @hookimpl
    def corpusmill_stage_started(self, stage: dict[str, Any]) -> None:
        """Name the stage."""
        self._told(str(stage["id"]))


def _swaps(folder: Path) -> bool:
    """Say whether the file system can swap two names at once; else there is an instant without an export."""
    names = (folder / "one", folder / "other")
    for name in names:
        name.mkdir()
    try:
        Disk().exchange(*names)
    except OSError:
        return False
    finally:
        for name in names:
            name.rmdir()
    return True


def _names(store: Store) -> Iterator[str]:
    for prefix in PUBLISHED:
        yield from store.storage.list(prefix)


def _text(file: int, row: int) -> str:
    if row == 3:
        return "short"
    if row in (5, 6):  # copies, within a file and between files
        return " ".join(_WORDS)
    return " ".join(_WORDS[(row * 7 + file * 3 + place * place) % len(_WORDS)] for place in range(12 + row)) + "."


def _spec(export: Path) -> dict[str, Any]:
    steps = [
        {"id": "read", "uses": "read.jsonl", "with": {"paths": "data/*.jsonl", "shard": 1000}},
        {"id": "judge", "uses": "filter.length", "with": {"min_chars": 20}},
        {"id": "exact", "uses": "dedup.exact"},
        {"id": "split", "uses": "split.by-hash", "with": {"train": 0.6, "test": 0.4}},
        {"id": "words", "uses": "tokenizer.bpe", "needs": "split.train", "with": {"size": 280}},
        {"id": "export", "uses": "write.parquet", "needs": "split", "with": {"path": str(export), "replace": True}},
    ]
    return {"corpusmill": 1, "name": "crash", "limits": {"max_bad_fraction": 1.0}, "steps": steps}
