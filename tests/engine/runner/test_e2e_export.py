"""Exports: a folder appears at once and whole, belongs to one plan, and is what other tools read."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import orjson
import pyarrow.parquet as pq
import pytest

from corpusmill.dataset.disk import Disk, swapped
from corpusmill.dataset.store import Store
from corpusmill.errors import CorpusmillError, StoreError, UsageError
from corpusmill.runner import export_folder
from corpusmill.runner.store_check import check_exports, newest_runs


def steps_of(mill: Any, *, word: str = "x", **options: Any) -> list[dict[str, Any]]:
    """Read, mark, split, export to `out`."""
    return [
        {"id": "read", "uses": "read.jsonl", "with": {"paths": "data/*.jsonl", "shard": "4 KB"}},
        {**mill.mark("one"), "with": {"word": word}},
        {"id": "split", "uses": "split.by-hash", "with": {"train": 0.7, "test": 0.3}},
        {"id": "out", "uses": "write.parquet", "with": {"path": str(mill.root / "out"), **options}},
    ]


@pytest.fixture
def exported(mill: Any) -> Any:
    """A mill with an export."""
    mill.jsonl("data/a.jsonl", mill.texts(60))
    mill.run(steps_of(mill))
    return mill


def state(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Return the time of change and bytes of every file of a folder."""
    return {
        path.relative_to(folder).as_posix(): (path.stat().st_mtime_ns, path.read_bytes())
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_the_files_hold_the_dataset_by_split(exported: Any) -> None:
    """Rows of each label in order in files named by it; the manifest names every file; nothing else lies beside."""
    digest = exported.outputs()["outputs"]["split"]["digest"]
    rows = exported.rows(digest)
    for label in ("train", "test"):
        files = sorted((exported.root / "out/data").glob(f"{label}-*.parquet"))
        written = [text for path in files for text in pq.read_table(path)["text"].to_pylist()]
        assert written == [row["text"] for row in rows if row["split"] == label]
    manifest = orjson.loads((exported.root / "out/corpusmill.json").read_bytes())
    assert manifest["digest"] == digest
    assert {one["name"] for one in manifest["files"]} == {
        path.relative_to(exported.root / "out").as_posix() for path in (exported.root / "out").rglob("*.parquet")
    }
    assert sum(one["rows"] for one in manifest["files"]) == len(rows)
    leftovers = [path.name for path in exported.root.iterdir() if path.name.startswith(".out")]
    assert not leftovers


def staging_of(mill: Any) -> Path:
    """Return where an export is built before it is renamed into place."""
    key = orjson.loads((mill.root / "out/corpusmill.json").read_bytes())["key"]
    return Path(mill.root / f".out.{key[:12]}")


def test_what_a_killed_worker_left_half_done_is_not_published(exported: Any) -> None:
    """Half a file beside its place in the staging folder: the folder that appears holds what the manifest names."""
    before = {name: content for name, (_, content) in state(exported.root / "out").items()}
    staging = staging_of(exported)
    (staging / "data").mkdir(parents=True)
    shutil.rmtree(exported.root / "out")
    (staging / "data/.train-00000-of-00001.parquet.123").write_bytes(b"half")
    exported.run(steps_of(exported))
    assert {name: content for name, (_, content) in state(exported.root / "out").items()} == before
    assert not staging.exists()


def test_an_export_killed_before_its_last_rename_is_only_renamed(exported: Any) -> None:
    """All files finished and named by the manifest in the staging folder: none is encoded again."""
    before = state(exported.root / "out")
    (exported.root / "out").rename(staging_of(exported))
    exported.run(steps_of(exported))
    data = {name: told for name, told in state(exported.root / "out").items() if name.startswith("data/")}
    assert data == {name: told for name, told in before.items() if name.startswith("data/")}


def test_hugging_face_datasets_reads_the_folder(exported: Any) -> None:
    """`load_dataset(dir)` gives the splits with their rows."""
    datasets = pytest.importorskip("datasets")
    loaded = datasets.load_dataset(str(exported.root / "out"), cache_dir=str(exported.root / "cache"))
    splits = exported.outputs()["outputs"]["split"]["splits"]
    assert {name: len(part) for name, part in loaded.items()} == splits


def test_the_same_plan_again_touches_nothing(exported: Any) -> None:
    """Not a byte and not a time of change."""
    before = state(exported.root / "out")
    exported.run(steps_of(exported))
    assert state(exported.root / "out") == before


def test_a_folder_of_others_is_refused(mill: Any) -> None:
    """A folder that corpusmill did not make stays as it is, unless `replace: true`."""
    mill.jsonl("data/a.jsonl", mill.texts(10))
    (mill.root / "out").mkdir()
    (mill.root / "out/thesis.txt").write_text("mine")
    with pytest.raises(CorpusmillError, match="not made by corpusmill") as caught:
        mill.run(steps_of(mill))
    assert "out.replace=true" in str(caught.value)
    assert state(mill.root / "out").keys() == {"thesis.txt"}
    mill.run(steps_of(mill, replace=True))
    assert "corpusmill.json" in state(mill.root / "out")
    assert "thesis.txt" not in state(mill.root / "out")


def test_a_folder_of_another_plan_is_refused(exported: Any) -> None:
    """Other rows need another folder or `replace: true`; the old export stays whole until then."""
    before = state(exported.root / "out")
    with pytest.raises(StoreError, match="made by another plan"):
        exported.run(steps_of(exported, word="other"))
    assert state(exported.root / "out") == before
    exported.run(steps_of(exported, word="other", replace=True))
    path = next((exported.root / "out").rglob("train-*.parquet"))
    assert pq.read_table(path)["text"][0].as_py().endswith("MARKother")


def test_an_empty_folder_may_be_filled(mill: Any) -> None:
    """A folder without files belongs to nobody."""
    mill.jsonl("data/a.jsonl", mill.texts(10))
    (mill.root / "out").mkdir()
    mill.run(steps_of(mill))
    assert "corpusmill.json" in state(mill.root / "out")


def test_a_file_lost_from_an_export_is_made_again(exported: Any) -> None:
    """The same plan finds that its folder is not whole and publishes it anew."""
    before = {name: data for name, (_, data) in state(exported.root / "out").items()}
    lost = next((exported.root / "out").rglob("test-*.parquet"))
    lost.unlink()
    result = exported.run(steps_of(exported))
    assert {name: data for name, (_, data) in state(exported.root / "out").items()} == before
    assert f"is damaged and is made again: {lost.name}: it is not there" in result.notices[0]


def flip(path: Path) -> None:
    """Change one bit in the middle of a file."""
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2] + bytes([data[len(data) // 2] ^ 1]) + data[len(data) // 2 + 1 :])


@pytest.mark.parametrize("name", ["data/train-00000-of-00001.parquet", "corpusmill.json"])
def test_a_flipped_bit_in_an_export_is_made_good(exported: Any, name: str) -> None:
    """Its size tells nothing: verify finds it, plan says why the export runs, a run says so and makes equal bytes."""
    before = {one: data for one, (_, data) in state(exported.root / "out").items()}
    flip(exported.root / "out" / name)
    assert [Path(one.name).name for one in check_exports(newest_runs(Store(exported.store_uri)))] == [Path(name).name]
    foreseen = exported.forecast(steps_of(exported))["out"]
    assert (foreseen.state, "is damaged" in " ".join(foreseen.reasons)) == ("runs", True)
    result = exported.run(steps_of(exported))
    assert any(f"is damaged and is made again: {Path(name).name}: " in one for one in result.notices)
    assert {one: data for one, (_, data) in state(exported.root / "out").items()} == before
    assert exported.run(steps_of(exported)).notices == []


def test_what_lies_in_a_damaged_export_is_not_lost(exported: Any) -> None:
    """A file that somebody put there, and a card that somebody wrote into: refused until that is moved away."""
    out = exported.root / "out"
    (out / "notes.txt").write_text("mine")
    with (out / "README.md").open("a") as card:
        card.write("and more about it\n")
    exported.run(steps_of(exported))  # whole: nothing is touched
    flip(next(out.rglob("train-*.parquet")))
    before = state(out)
    with pytest.raises(StoreError, match=r"what was not exported: README\.md, notes\.txt"):
        exported.run(steps_of(exported))
    assert state(out) == before
    exported.run(steps_of(exported, replace=True))
    assert "notes.txt" not in state(out)


def test_an_export_is_read_once_while_nobody_touches_it(exported: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files that look as they did are not read again by each run; one that was written to is, and then no more."""
    read: list[str] = []
    once = export_folder.hash_file
    monkeypatch.setattr(export_folder, "hash_file", lambda path: (read.append(path.name), once(path))[1])
    exported.run(steps_of(exported))
    assert read == []
    path = next((exported.root / "out").rglob("test-*.parquet"))
    path.write_bytes(path.read_bytes())
    assert exported.run(steps_of(exported)).notices == []
    exported.run(steps_of(exported))
    assert read == [path.name]


def test_a_plan_moves_and_makes_nothing(exported: Any) -> None:
    """Not a staging folder, nor the last rename of a run that was killed before it."""
    (exported.root / "out").rename(exported.root / "away")
    before = sorted(path.name for path in exported.root.iterdir())
    assert exported.forecast(steps_of(exported))["out"].state == "runs"
    (exported.root / "away").rename(exported.root / "out")
    staging = staging_of(exported)
    (exported.root / "out").rename(staging)
    assert exported.forecast(steps_of(exported))["out"].state == "cached"
    staging.rename(exported.root / "away")
    assert sorted(path.name for path in exported.root.iterdir() if path.suffix != ".yaml") == [
        name for name in before if not name.endswith(".yaml")
    ]


class Killed(BaseException):
    """Stands for a kill: no handler of the engine takes it for an error."""


def test_killed_between_two_renames_the_new_export_follows(exported: Any) -> None:
    """Where names cannot be swapped, nothing may stand in place for an instant; the next run puts the new one there."""

    class Old(Disk):
        def exchange(self, source: Path, target: Path) -> None:
            raise OSError(22, "Invalid argument")

        def rename(self, source: Path, target: Path) -> None:
            if target == exported.root / "out":
                raise Killed
            super().rename(source, target)

    with swapped(Old()), pytest.raises(Killed):
        exported.run(steps_of(exported, word="other", replace=True))
    assert not (exported.root / "out").exists()
    exported.run(steps_of(exported, word="other"))
    path = next((exported.root / "out").rglob("train-*.parquet"))
    assert pq.read_table(path)["text"][0].as_py().endswith("MARKother")
    assert [path.name for path in exported.root.iterdir() if path.name.startswith(".out")] == []


def test_killed_before_it_is_removed_the_old_export_goes_with_the_next_run(exported: Any) -> None:
    """It has the name of the staging folder for an instant, then one of its own."""
    for name in (staging_of(exported).name, ".out.replaced"):
        shutil.copytree(exported.root / "out", exported.root / name)
    flip(next(staging_of(exported).rglob("train-*.parquet")))
    before = state(exported.root / "out")
    exported.run(steps_of(exported))
    assert state(exported.root / "out") == before
    assert [path.name for path in exported.root.iterdir() if path.name.startswith(".out")] == []


def test_the_bytes_do_not_depend_on_shards(mill: Any, new_mill: Any) -> None:
    """One file of all rows is the same whether they came in one part or in many."""
    written = []
    for shard in ("1 KB", "64 MB"):
        other = new_mill()
        other.jsonl("data/a.jsonl", other.texts(60))
        steps = steps_of(other)
        steps[0]["with"]["shard"] = shard
        other.run(steps)
        written.append({path.name: path.read_bytes() for path in (other.root / "out").rglob("*.parquet")})
    assert written[0] == written[1]


def test_no_document_is_lost_for_its_label(mill: Any) -> None:
    """One without a label, beside labelled ones, would be in no file."""
    labels = ["train", None, "test"]
    mill.jsonl("data.jsonl", [{"text": f"row {number}", "split": one} for number, one in enumerate(labels)])
    steps = [{"id": "read", "uses": "read.jsonl", "with": {"paths": "data.jsonl", "columns": ["text", "split"]}}]
    steps.append({"id": "out", "uses": "write.jsonl", "with": {"path": str(mill.root / "out")}})
    with pytest.raises(UsageError, match="1 of 3 documents have no split label, and would be in no file"):
        mill.run(steps)
    assert not (mill.root / "out").exists()


def test_labels_of_data_never_share_a_file(mill: Any) -> None:
    """Labels whose letters no file name has, that differ in case or punctuation, or are long: each has its rows."""
    labels = ["训练", "测试", "a-b", "a_b", "Dev", "dev", "x" * 300, "../up", ""]
    mill.jsonl("data.jsonl", [{"text": f"row {number}", "split": one} for number, one in enumerate(labels * 2)])
    steps = [{"id": "read", "uses": "read.jsonl", "with": {"paths": "data.jsonl", "columns": ["text", "split"]}}]
    steps.append({"id": "out", "uses": "write.jsonl", "with": {"path": str(mill.root / "out")}})
    told = mill.run(steps).outputs["outputs"]["out"]
    assert told["rows"] == 2 * len(labels)
    files = sorted((mill.root / "out" / "data").iterdir())
    assert len({path.name.casefold() for path in files}) == len(labels)
    by_file = [{orjson.loads(line)["split"] for line in path.read_bytes().splitlines()} for path in files]
    assert sorted(one for found in by_file for one in found) == sorted(labels)
