"""A flipped bit in any kind of file of a store: verify names it, no run uses it, and a run makes it again."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import orjson
import pytest

from corpusmill.dataset.commits import PACKS
from corpusmill.dataset.hashing import hash_bytes
from corpusmill.dataset.inventory import files_in
from corpusmill.dataset.note import NOTES
from corpusmill.dataset.store import Store
from corpusmill.dataset.verification import repair, verify_files
from corpusmill.errors import ChecksumError
from corpusmill.exchange.merge import merge_groups
from corpusmill.runner import driver, merge_stage
from corpusmill.runner.records import latest_run
from corpusmill.runner.replay import replay
from corpusmill.runner.store_check import take_inventory
from corpusmill.runner.trace import trace

PLUGIN = '''
import json
from corpusmill import Documents, Evaluator, Model, Tokens, Trainer, hookimpl, option


class Count(Trainer):
    """A model in small: how many windows there are."""

    inputs = {"tokens": Tokens(roles=("train",))}
    exact = True

    class Options(Trainer.Options):
        bias: int = option(1, help="is added")

    def run(self, inputs, work):
        windows = inputs.tokens.windows("train")
        counted = {"windows": len(windows), "ids": int(windows.lengths().sum()), "bias": self.options.bias}
        (work.output / "model.safetensors").write_text(json.dumps(counted))
        (work.output / "config.json").write_text("{}")
        return counted


class Told(Evaluator):
    """What the model says."""

    inputs = {"model": Model()}

    def run(self, inputs, work):
        return json.loads((inputs.model.path / "model.safetensors").read_text())


@hookimpl
def corpusmill_register(registry):
    registry.trainer("count", ":Count", "Count.")
    registry.evaluator("told", ":Told", "Tell.")
'''
UNITS = {
    "part+counts": "pass",
    "keys+rows": "sketch",
    "spans+segments": "segment sketch",
    "links": "join",
    "decisions": "components",
    "clusters": "select",
    "repeats": "segment join",
    "shares": "segment shares",
    "artifact": "global",
    "names": "index of ids",
    "splits": "windows",
    "part": "encode",
    "keys": "merge",
    "selection": "mask",
}
"""The fields that tell what kind of unit a commit record is of; the first that fits."""
KINDS = {
    "a commit record",
    "a dataset's manifest",
    "a list of parts",
    "a pack",
    "a token set's manifest",
    "an artifact's manifest",
    "an index of inputs",
    "artifact: config.json",
    "artifact: metrics.json",
    "artifact: model.safetensors",
    "artifact: tokenizer.json",
    "artifact: tokenizer_config.json",
    "components: decisions",
    "encode: part",
    "index of ids: keys",
    "index of ids: of",
    "inputs of units",
    "join: links",
    "mask: of",
    "mask: selection",
    "merge: keys",
    "merge: of",
    "pass: cuts",
    "pass: ledger",
    "pass: part",
    "pass: quarantine",
    "pass: removed",
    "pass: turned_away",
    "pass: values",
    "segment join: repeats",
    "segment shares: shares",
    "select: clusters",
    "select: ledger",
    "select: removed",
    "select: selection",
    "sketch: keys",
    "sketch: rows",
    "sketch: spans",
    "windows: splits",
}
"""Every kind of file that is known to be covered here: one that is not in it fails the test."""


def steps(pit: Any, *, threshold: float = 0.7, size: int = 300, out: str = "out") -> list[dict[str, Any]]:
    """Operators of every kind, so that every kind of file is there."""
    return [
        {"id": "read", "uses": "read.jsonl", "with": {"paths": "data/*.jsonl", "shard": 1500}},
        {"id": "short", "uses": "filter.length", "with": {"max_chars": 1000, "signals": "keep"}},
        {"id": "long", "uses": "clean.unicode", "needs": "short.removed"},
        {"id": "refused", "uses": "clean.unicode", "needs": "read.quarantine"},
        {"id": "exact", "uses": "dedup.exact", "needs": "short"},
        {"id": "lines", "uses": "dedup.segments", "with": {"unit": "line"}},
        {"id": "near", "uses": "dedup.minhash", "with": {"threshold": threshold}},
        {"id": "nearer", "uses": "dedup.minhash", "with": {"threshold": 0.4}},
        {"id": "split", "uses": "split.by-hash", "with": {"train": 0.8, "test": 0.2}},
        {"id": "vocabulary", "uses": "tokenizer.bpe", "needs": "split.train", "with": {"size": size}},
        {
            "id": "tokens",
            "uses": "tokens.pack",
            "needs": {"documents": "split", "tokenizer": "vocabulary"},
            "with": {"window": 16},
        },
        {"id": "model", "uses": "train.count", "needs": "tokens"},
        {"id": "told", "uses": "evaluate.told", "needs": "model"},
        {"id": "export", "uses": "write.jsonl", "needs": "split", "with": {"path": str(pit.root / out)}},
    ]


def documents(folder: Path, files: range) -> None:
    """Lines that repeat, documents that are equal or nearly so, some too long, one that is no JSON."""
    folder.mkdir(exist_ok=True)
    for file in files:
        rows = []
        for row in range(12):
            words = " ".join(f"word{(row * 31 + place * (file % 3 + 1)) % 97}" for place in range(30))
            tail = "long " * 300 if row == 5 else ""
            text = f"the same head line\n{words} in file {file if row % 2 else 0}\n{tail}"
            rows.append(json.dumps({"text": text}))
        (folder / f"{file:02}.jsonl").write_text("\n".join([*rows, "no json"]) + "\n", encoding="utf-8")


@pytest.fixture
def merging(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sketches are merged from four on, as in a large corpus."""
    monkeypatch.setattr(merge_stage, "merge_groups", partial(merge_groups, least=4))


def run(pit: Any, chain: Sequence[dict[str, Any]], store: str = "store") -> dict[str, Any]:
    limits = {"max_bad_fraction": 1.0}
    outputs: dict[str, Any] = pit.run(chain, store=store, executor="inline", limits=limits).outputs
    return outputs


@pytest.fixture
def made(pit: Any, merging: None, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A store in which a run left every kind of file; records alone and in packs; a document was asked for."""
    (pit.root / "faulty.py").write_text(PLUGIN, encoding="utf-8")
    documents(pit.root / "data", range(17))
    with monkeypatch.context() as packing:
        packing.setattr(driver, "LEFT_OVER", 1)
        run(pit, steps(pit))
    documents(pit.root / "data", range(17, 18))
    outputs = run(pit, steps(pit, out="out-two"))
    kept = pit.rows(outputs, "split")
    trace(latest_run(pit.store, "pit"), kept[0]["id"], replay)
    return pit


def kinds(store: Store) -> dict[str, list[str]]:
    """Return every kind of file in a store with the names of its files, the known ones first."""
    found: dict[str, list[str]] = defaultdict(list)
    for name, _, record in store.commits.every():
        content = orjson.loads(record or b"{}")
        found["a pack" if name.startswith(PACKS) else "a commit record"].append(name)
        unit = next(unit for fields, unit in UNITS.items() if set(fields.split("+")) <= content.keys())
        for field, value in content.items():
            found[f"{unit}: {field}"] += [one.name for one in files_in(value)]
    for name in store.storage.list(""):
        for kind in _published(store, name):
            found[kind].append(name)
    found["a list of parts"] = parts_lists(store)
    named = {name for names in found.values() for name in names}
    for name in store.storage.list("files/"):
        if name not in named:
            found["inputs of units" if name.endswith(".json") else "unknown"].append(name)
    return {kind: names for kind, names in found.items() if names}


def _published(store: Store, name: str) -> Iterator[str]:
    folder, _, rest = name.partition("/")
    file = rest.partition("/")[2]
    if folder == "artifacts":
        yield "an artifact's manifest" if file == "manifest.json" else f"artifact: {file}"
    elif folder == "datasets":
        tokens = orjson.loads(store.storage.read(name)).get("kind") == "tokens"
        yield "a token set's manifest" if tokens else "a dataset's manifest"
    elif f"{folder}/" == NOTES:
        yield "an index of inputs"
    elif folder not in ("commits", "files", "runs", "tmp"):
        yield "unknown"


def parts_lists(store: Store) -> list[str]:
    manifests = [orjson.loads(store.storage.read(name)) for name in store.storage.list("datasets/")]
    return [next(files_in(one["parts"])).name for one in manifests if one.get("kind") != "tokens"]


def flip(path: Path, share: float = 0.5) -> bytes:
    """Change one bit of a file; return what it held."""
    whole = path.read_bytes()
    place = min(int(len(whole) * share), len(whole) - 1)
    path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
    return whole


def wrong(store: str) -> list[Any]:
    return list(verify_files(take_inventory(Store(store))).findings)


def one_of_each(store: Store) -> dict[str, str]:
    """Kind -> a file of it; a file serves one kind."""
    chosen: dict[str, str] = {}
    for kind, names in sorted(kinds(store).items(), key=lambda item: len(item[1])):
        free = [name for name in dict.fromkeys(names) if name not in chosen.values()]
        chosen[kind] = (free or names)[0]
    return chosen


def tree(pit: Any, store: str = "store") -> dict[str, str]:
    """What is published, but for the inputs of units, which nothing names once the units are done."""
    opened = Store(str(pit.root / store))
    passing = set(kinds(opened).get("inputs of units", ()))
    records = {key: hash_bytes(record or b"") for _, key, record in opened.commits.every()}
    files = {name: held for name, held in pit.tree(store).items() if name not in passing}
    return records | {name: held for name, held in files.items() if not name.startswith("commits/")}


def digests(outputs: dict[str, Any]) -> dict[str, str]:
    return {name: one["digest"] for name, one in outputs.items()}


def test_every_kind_of_file(made: Any) -> None:
    """Each that lies in a store is covered; a bit of it flips, and verify names it; looking changes nothing."""
    store = Store(str(made.store))
    assert (set(kinds(store)) - KINDS, KINDS - set(kinds(store))) == (set(), set())
    for kind, name in one_of_each(store).items():
        if kind == "inputs of units":
            continue  # written anew for the units that read them, and named by nothing: gc removes them
        path = made.store / name
        whole = flip(path)
        told = {one.name for one in wrong(str(made.store))}
        told |= {word for one in wrong(str(made.store)) for word in one.detail.replace(",", "").split()}
        assert name in told, f"{kind}: {name}"
        assert path.is_file()
        path.write_bytes(whole)
    assert wrong(str(made.store)) == []


def test_a_run_uses_nothing_that_is_damaged(made: Any) -> None:
    """One bit in one file of every kind: a run with other options makes what it makes of a whole store, in one go.

    What it did not have to read is found by verify, and forgotten with --repair: the old run makes it again.
    """
    before, told = tree(made), digests(made.outputs()["outputs"])
    shutil.copytree(made.store, made.root / "whole")
    changed = {"threshold": 0.6, "size": 290}
    expected = run(made, steps(made, **changed, out="out-three"), "whole")["outputs"]
    for name in one_of_each(Store(str(made.store))).values():
        flip(made.store / name)
    result = run(made, steps(made, **changed, out="out-four"))["outputs"]
    assert digests(result) == digests(expected)
    for step in ("long", "refused", "nearer", "split"):
        # A dataset that was cached whole, and that this run did not have to read, is refused to whoever reads it.
        with contextlib.suppress(ChecksumError):
            assert made.rows({"outputs": result}, step) == made.rows({"outputs": expected}, step, "whole")
    repair(Store(str(made.store)), wrong(str(made.store)))
    again = run(made, steps(made, out="out-two"))["outputs"]
    assert wrong(str(made.store)) == []
    after = tree(made)
    # Records of an earlier corpus, and those of questions that were asked, are no part of this run.
    assert {name: held for name, held in after.items() if before.get(name, held) != held} == {}
    assert digests(again) == told
    for step in ("long", "refused", "nearer", "split"):
        assert made.rows({"outputs": again}, step)


@pytest.mark.soak
@pytest.mark.parametrize("repaired", [False, True])
def test_each_kind_by_itself(made: Any, repaired: bool) -> None:
    """A rerun after a flip in one file of one kind: the same outputs; after a repair the same bytes everywhere."""
    before, outputs = tree(made), made.outputs()["outputs"]
    for kind in one_of_each(Store(str(made.store))):
        # Asked anew: a repair takes what named a damaged file along, and packs with it.
        name = one_of_each(Store(str(made.store))).get(kind)
        if name is None:
            continue
        flip(made.store / name)
        if repaired:
            repair(Store(str(made.store)), wrong(str(made.store)))
        assert run(made, steps(made, out="out-two"))["outputs"] == outputs, kind
        repair(Store(str(made.store)), wrong(str(made.store)))
        run(made, steps(made, out="out-two"))
        # What nothing names any more, since its record was damaged before it, is no run's and no verification's matter.
        found = kinds(Store(str(made.store)))
        named = {name for known, names in found.items() if known != "unknown" for name in names}
        changed = {name for name, held in tree(made).items() if before.get(name, held) != held}
        assert {name for name in changed if name in named or not name.startswith("files/")} == set(), kind
        assert wrong(str(made.store)) == [], kind
