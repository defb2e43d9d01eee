"""Ids: from places they differ between inputs; from a column they are unique, later documents quarantined."""

from __future__ import annotations

import random
from typing import Any

import pytest

from corpusmill.errors import BadRecordLimit, UsageError
from corpusmill.runner.records import latest_run
from corpusmill.runner.replay import replay
from corpusmill.runner.trace import trace

LIMITS = {"max_bad_fraction": 0.9}


def read(**options: Any) -> dict[str, Any]:
    """A reader that takes ids from the column `key`."""
    return {"id": "read", "uses": "read.jsonl", "with": {"paths": "data/*", "id": "key", **options}}


def filled(mill: Any, files: int = 3) -> list[tuple[str, str]]:
    """Write files with repeated ids inside and across them; return (id, text) in input order."""
    draw, rows = random.Random(4), []
    for number in range(files):
        own = [(f"id-{draw.randrange(150)}", f"row {row} of file {number}") for row in range(60)]
        mill.jsonl(f"data/{number}.jsonl", [{"key": key, "text": text} for key, text in own])
        rows += own
    return rows


def first_of(rows: list[tuple[str, str]]) -> list[tuple[str, str]]:
    first = dict(reversed(rows))
    return [row for row in rows if first[row[0]] == row[1]]


def test_the_first_document_of_an_id_stays(mill: Any) -> None:
    """Over all files; the others are quarantined with their places, and the counts say so."""
    rows = filled(mill)
    outputs = mill.run([read(), mill.mark("one")], limits=LIMITS).outputs
    kept = mill.rows(outputs["outputs"]["read"]["digest"])
    assert [(row["id"], row["text"]) for row in kept] == first_of(rows)
    gone = [row for row in rows if row not in first_of(rows)]
    found = mill.quarantine(outputs)
    assert [(row["id"], row["raw"].decode()) for row in found] == gone
    assert {(row["reason"], row["step"]) for row in found} == {("duplicate-id", -1)}
    for row in found:
        line = (mill.root / "data" / row["file"]).read_bytes()[row["offset"] :].split(b"\n")[0]
        assert row["raw"] in line
    counts = outputs["counts"]["read"]
    assert counts["in"] == 180
    assert counts["quarantined"] == {"duplicate-id": len(gone)}
    assert counts["out"] == outputs["counts"]["one"]["in"] == len(kept)
    assert outputs["quarantine"] == len(gone)


def test_shards_do_not_decide_which_documents_stay(mill: Any) -> None:
    """The same documents in many shards and in one."""
    filled(mill)
    kept = []
    for shard in ("1 KB", "64 MB"):
        outputs = mill.run([read(shard=shard)], limits=LIMITS).outputs
        kept.append(mill.rows(outputs["outputs"]["read"]["digest"]))
    assert kept[0] == kept[1]


def test_a_rerun_does_nothing_and_a_new_first_file_wins(mill: Any) -> None:
    """No call on a rerun; a file that sorts first takes its ids, and the result is that of a run from nothing."""
    filled(mill)
    steps = [read(shard="1 KB"), mill.mark("one")]
    first = mill.run(steps, limits=LIMITS).outputs
    commits = sum(len(keys) for keys in mill.commits().values())
    mill.calls()
    again = mill.run(steps, limits=LIMITS).outputs
    assert again["outputs"] == first["outputs"]
    assert again["quarantines"] == first["quarantines"]
    assert not mill.calls()
    assert sum(len(keys) for keys in mill.commits().values()) == commits
    mill.jsonl("data/+first.jsonl", [{"key": "id-7", "text": "a new first"}])
    grown = mill.run(steps, limits=LIMITS).outputs["outputs"]["one"]["digest"]
    assert grown == mill.run(steps, limits=LIMITS, store=str(mill.root / "fresh")).outputs["outputs"]["one"]["digest"]
    assert next(row["text"] for row in mill.rows(grown) if row["id"] == "id-7").startswith("a new first")


def test_repeated_ids_count_as_bad_records(mill: Any) -> None:
    """More than the limit allows stop the run before anything is published."""
    filled(mill)
    with pytest.raises(BadRecordLimit, match="duplicate-id"):
        mill.run([read()])


def test_repeated_ids_are_in_the_quarantine_output(mill: Any) -> None:
    """A step can take what the reader turned away, repeated ids among it."""
    rows = filled(mill)
    (mill.root / "data/0.jsonl").write_bytes(b"broken\n" + (mill.root / "data/0.jsonl").read_bytes())
    steps = [read(shard="1 KB"), {**mill.mark("bad"), "needs": "read.quarantine"}]
    outputs = mill.run(steps, limits=LIMITS).outputs
    found = mill.rows(outputs["outputs"]["bad"]["digest"])
    assert sorted(row["reason"] for row in found) == sorted(
        ["invalid-json"] + ["duplicate-id"] * (len(rows) - len(first_of(rows)))
    )


def test_documents_without_an_id_are_no_duplicates(mill: Any) -> None:
    """A null is not an id that another null repeats."""
    mill.jsonl("data/a.jsonl", [{"key": None, "text": "one"}, {"text": "two"}, {"key": "x", "text": "three"}])
    outputs = mill.run([read(types={"key": "string"})]).outputs
    assert outputs["outputs"]["read"]["rows"] == 3
    assert outputs["quarantine"] == 0


def two_inputs(mill: Any, **options: Any) -> list[dict[str, Any]]:
    """Two readers whose files have the same names and places under their roots, and the union of both."""
    for folder in ("left", "right"):
        mill.jsonl(f"{folder}/a.jsonl", ["one", b"broken", "two"])
        mill.jsonl(f"{folder}/b.jsonl", ["three"])
    readers = [{"id": one, "uses": "read.jsonl", "with": {"paths": f"{one}/*", **options}} for one in ("left", "right")]
    return [*readers, {**mill.mark("all"), "needs": ["left", "right"]}]


def test_readers_of_equal_names_make_different_ids(mill: Any) -> None:
    """The same relative path and offset under two readers are two documents, in datasets and in quarantine."""
    outputs = mill.run(two_inputs(mill), limits=LIMITS).outputs
    rows = mill.rows(outputs["outputs"]["all"]["digest"])
    assert len({(row["file"], row["offset"]) for row in rows}) == 3
    assert len({row["id"] for row in rows}) == len(rows) == 6
    assert len({row["id"] for row in mill.quarantine(outputs)}) == 2


def test_ids_do_not_depend_on_other_readers(mill: Any) -> None:
    """A reader makes the ids it makes alone, wherever it stands among others."""
    left, right, _ = two_inputs(mill)
    both = mill.run([right, left], limits=LIMITS).outputs["outputs"]
    alone = mill.run([left], limits=LIMITS, store=str(mill.root / "fresh")).outputs["outputs"]
    assert both["left"]["digest"] == alone["left"]["digest"]


def test_a_renamed_reader_makes_other_ids_unless_its_input_keeps_the_name(mill: Any) -> None:
    """Another step id is another input, and `plan` says so; `input` with the old name costs no call."""
    mill.jsonl("data/a.jsonl", ["one", "two"])

    def steps(name: str, **options: Any) -> list[dict[str, Any]]:
        return [{"id": name, "uses": "read.jsonl", "with": {"paths": "data/*", **options}}, mill.mark("mark")]

    first = mill.run(steps("old")).outputs["outputs"]["mark"]["digest"]
    mill.calls()
    assert mill.forecast(steps("new"))["mark"].reasons[-1] == "new is new"
    assert mill.forecast(steps("old", input="other"))["mark"].reasons[-1] == "old: input 'old' → 'other'"
    assert mill.run(steps("new", input="old")).outputs["outputs"]["mark"]["digest"] == first
    assert not mill.calls()
    assert mill.run(steps("new")).outputs["outputs"]["mark"]["digest"] != first


def test_a_reader_with_ids_from_a_column_may_be_renamed(mill: Any) -> None:
    """Its documents' ids do not come from the step, so nothing is read again."""
    filled(mill)
    first = mill.run([read(), mill.mark("one")], limits=LIMITS).outputs["outputs"]["one"]["digest"]
    mill.calls()
    again = mill.run([{**read(), "id": "renamed"}, mill.mark("one")], limits=LIMITS).outputs["outputs"]["one"]
    assert again["digest"] == first
    assert not mill.calls()


def test_documents_are_explained_by_ids_of_their_own(mill: Any) -> None:
    """Short ones are taken whole, and one that looks like FILE@OFFSET is found as well."""
    ids = ["7", "71", "anna@12", "0@0"]
    mill.jsonl("data/0.jsonl", [{"key": one, "text": f"the text of {one}" * (2 if one == "71" else 1)} for one in ids])
    mill.run([read(), {"id": "short", "uses": "filter.short", "with": {"most": 20}}])
    record = latest_run(mill.store_uri, "mill")
    fates = {one: trace(record, one, replay) for one in ids}
    assert {one: (fate.id, fate.outcome) for one, fate in fates.items()} == {
        one: (one, "removed" if one == "71" else "kept") for one in ids
    }
    for nobody in ("1", "ann", ""):
        with pytest.raises(UsageError, match="does not name a document"):
            trace(record, nobody)
