"""Verifying a store: a flipped byte anywhere in what is named is found, forgotten on request, and made again."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from corpusmill.dataset.inventory import Finding, files_in
from corpusmill.dataset.manifest import Dataset
from corpusmill.dataset.store import Store
from corpusmill.dataset.verification import repair, verify_files
from corpusmill.errors import ChecksumError
from corpusmill.runner import driver
from corpusmill.runner.records import latest_run
from corpusmill.runner.search import ledger_tables
from corpusmill.runner.store_check import check_exports, makers, newest_runs, take_inventory

KEPT = ("datasets/", "files/", "commits/", "artifacts/")


def steps() -> list[dict[str, Any]]:
    return [
        {"id": "read", "uses": "read.jsonl", "with": {"paths": "data/*.jsonl", "shard": 4000}},
        {"id": "short", "uses": "filter.short", "with": {"most": 300}},
        {"id": "exact", "uses": "dedup.exact"},
        {"id": "words", "uses": "tokenizer.bpe", "needs": "exact", "with": {"size": 300}},
        {
            "id": "tokens",
            "uses": "tokens.pack",
            "needs": {"documents": "exact", "tokenizer": "words"},
            "with": {"window": 16},
        },
    ]


def findings(uri: str) -> list[Finding]:
    return list(verify_files(take_inventory(Store(uri))).findings)


def flip(path: Path, share: float = 0.5) -> bytes:
    """Change one bit of a file; return what it held."""
    whole = path.read_bytes()
    place = min(int(len(whole) * share), len(whole) - 1)
    path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
    return whole


def object_path(uri: str, name: str) -> Path:
    from urllib.parse import quote

    return Path(uri) / name if "://" not in uri else Path(uri.removeprefix("object://")) / quote(name, safe="")


@pytest.fixture(params=["", "object://"])
def made(mill: Any, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A store of datasets, token sets and a tokenizer, on each storage."""
    monkeypatch.setattr("tempfile.tempdir", str(mill.root))
    mill.store_uri = f"{request.param}{mill.root / 'store'}"
    mill.jsonl("data/a.jsonl", mill.texts(60, seed=3))
    mill.run(steps(), executor="inline")
    return mill


def test_a_whole_store_is_whole(made: Any) -> None:
    """Everything is read, and nothing is wrong."""
    checked = verify_files(take_inventory(Store(made.store_uri)))
    assert checked.findings == ()
    assert checked.files >= len(list(Store(made.store_uri).storage.list("files/"))) - 3  # lists that no record names
    assert checked.manifests >= 4
    assert checked.records >= 4


def test_a_flipped_bit_anywhere_is_found(made: Any) -> None:
    """In every file that is named, and in every record and manifest; looking changes nothing."""
    store = Store(made.store_uri)
    named = {*take_inventory(store).files, *(name for name in store.storage.list("") if name.endswith("manifest.json"))}
    named |= set(store.storage.list("commits/"))
    assert len(named) > 20
    for name, share in itertools.product(sorted(named), (0.0, 0.37, 0.99)):
        path = object_path(made.store_uri, name)
        whole = flip(path, share)
        found = findings(made.store_uri)
        told = {one.name for one in found} | {word for one in found for word in one.detail.replace(",", "").split()}
        assert name in told, name
        assert path.is_file(), f"looking at {name} removed it"
        path.write_bytes(whole)
    assert findings(made.store_uri) == []


def test_a_lost_file_is_told_with_its_owners(made: Any) -> None:
    """The dataset that names it, the run that made it, and the command."""
    store = Store(made.store_uri)
    digest = latest_run(made.store_uri, "mill").outputs["outputs"]["short"]["digest"]
    name = Dataset.open(store, digest).entries[0].part.file.name
    store.storage.delete(name)
    found = findings(made.store_uri)
    assert [(one.name, one.problem) for one in found] == [(name, "missing")]
    assert {owner.kind for owner in found[0].owners} == {"dataset", "commit"}
    runs, specs = makers(store, found)
    assert [run.rpartition("/")[2] for run in runs[digest]] == ["short"]
    assert specs == [str(made.root / "spec-0.yaml")]


def a_part(store: Store, outputs: dict[str, Any]) -> str:
    return Dataset.open(store, outputs["short"]["digest"]).entries[0].part.file.name


def parts_list(store: Store, outputs: dict[str, Any]) -> str:
    manifest = orjson.loads(store.storage.read(a_manifest(store, outputs)))
    return next(iter(files_in(manifest))).name


def a_manifest(store: Store, outputs: dict[str, Any]) -> str:
    return f"datasets/{outputs['exact']['digest']}/manifest.json"


def a_token_manifest(store: Store, outputs: dict[str, Any]) -> str:
    return f"datasets/{outputs['tokens']['digest']}/manifest.json"


def an_artifact(store: Store, outputs: dict[str, Any]) -> str:
    return f"artifacts/{outputs['words']['digest']}/tokenizer.json"


def an_artifact_manifest(store: Store, outputs: dict[str, Any]) -> str:
    return f"artifacts/{outputs['words']['digest']}/manifest.json"


def a_record(store: Store, outputs: dict[str, Any]) -> str:
    return next(store.storage.list("commits/"))


@pytest.mark.parametrize(
    "what", [a_part, parts_list, a_manifest, a_token_manifest, an_artifact, an_artifact_manifest, a_record]
)
def test_what_is_damaged_is_forgotten_and_made_again(made: Any, what: Callable[..., str]) -> None:
    """After `--repair` and a run all bytes are as they were, whatever it was that was damaged."""
    before = made.tree()
    store = Store(made.store_uri)
    name = what(store, latest_run(made.store_uri, "mill").outputs["outputs"])
    flip(object_path(made.store_uri, name))
    found = findings(made.store_uri)
    assert found
    assert repair(Store(made.store_uri), found)
    made.run(steps(), executor="inline")
    assert made.tree() == before
    assert findings(made.store_uri) == []


@pytest.mark.parametrize("what", [a_manifest, a_token_manifest, an_artifact_manifest])
def test_a_damaged_manifest_is_made_again_by_a_run_alone(made: Any, what: Callable[..., str]) -> None:
    """Found at reuse: nothing opens it, and the run that made it puts it right without a repair."""
    before = made.tree()
    name = what(Store(made.store_uri), latest_run(made.store_uri, "mill").outputs["outputs"])
    flip(object_path(made.store_uri, name))
    made.run(steps(), executor="inline")
    assert made.tree() == before


def test_another_schema_is_never_served(made: Any) -> None:
    """A manifest that is JSON and says something else than its digest stands for is refused."""
    store = Store(made.store_uri)
    digest = latest_run(made.store_uri, "mill").outputs["outputs"]["short"]["digest"]
    name = f"datasets/{digest}/manifest.json"
    manifest = orjson.loads(store.storage.read(name))
    other = Dataset.open(store, latest_run(made.store_uri, "mill").outputs["outputs"]["exact"]["digest"])
    manifest["parts"] = orjson.loads(store.storage.read(f"datasets/{other.digest}/manifest.json"))["parts"]
    store.storage.put(name, orjson.dumps(manifest))
    with pytest.raises(ChecksumError, match="damaged"):
        Dataset.open(Store(made.store_uri), digest)


def test_a_damaged_ledger_is_not_shown(made: Any) -> None:
    """What lists removed rows reads them through their checksum."""
    record = latest_run(made.store_uri, "mill")
    name = re.search(r"files/.*", record.outputs["ledger"][0]["path"])
    assert name is not None
    flip(object_path(made.store_uri, name[0]))
    with pytest.raises(ChecksumError, match=name[0]):
        list(ledger_tables(record))


def test_damaged_lines_of_a_pack_are_found_and_mended(made: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Records that were merged: one line is lost, the others stay, and the run makes the lost one again."""
    monkeypatch.setattr(driver, "LEFT_OVER", 1)
    made.jsonl("data/b.jsonl", made.texts(30, seed=4))
    made.run(steps(), executor="inline")
    (pack,) = Store(made.store_uri).storage.list("commits/packs/")
    flip(object_path(made.store_uri, pack), 0.1)
    found = findings(made.store_uri)
    assert {one.name for one in found} == {pack}
    assert repair(Store(made.store_uri), found) == [pack]
    assert findings(made.store_uri) == []


def test_a_damaged_export_is_found_and_left_alone(mill: Any) -> None:
    """An export is the user's: what is wrong in it is told, and no repair removes anything of it."""
    mill.jsonl("data/a.jsonl", mill.texts(20))
    out = mill.root / "out"
    export = {"id": "export", "uses": "write.parquet", "with": {"path": str(out)}}
    mill.run([*steps()[:3], {**export, "needs": "exact"}], executor="inline")
    store = Store(mill.store_uri)
    assert check_exports(newest_runs(store)) == []
    path = next(out.glob("data/*.parquet"))
    flip(path)
    found = check_exports(newest_runs(store))
    assert [(one.name, one.problem, one.export) for one in found] == [(str(path), "damaged", str(out))]
    assert repair(store, found) == []
    assert path.is_file()
