"""A plugin that raises costs the documents it raised on; one that breaks its contract stops the run."""

from __future__ import annotations

import re
from typing import Any

import pytest

from corpusmill.errors import OperatorError

POISON = [(0, 3), (1, 0), (1, 39)]


@pytest.mark.parametrize("action", ["raise", "sysexit", "panic"])
def test_a_raising_document_goes_to_quarantine_and_its_neighbours_stay(pit: Any, action: str) -> None:
    """Its place, id, reason and text are kept, and every other row comes out as in a run without a fault."""
    pit.documents(poison=POISON, word="POISON")
    calm = pit.run([pit.read(), pit.faulty()], store="calm").outputs
    outputs = pit.run([pit.read(), pit.faulty(action)], debug=True).outputs
    bad = pit.quarantine(outputs)
    ids = {row["id"] for row in bad}
    assert [row for row in pit.rows(calm, store="calm") if row["id"] not in ids] == pit.rows(outputs)
    assert len(pit.rows(outputs)) == 120 - len(POISON)
    for row in bad:
        line = (pit.root / "data" / row["file"]).read_bytes()[row["offset"] :].split(b"\n")[0]
        assert b"POISON" in line
        assert row["raw"].decode() in line.decode()
        assert row["reason"].startswith("raised ")
        assert row["step"] == 1


def test_batches_leave_no_trace(pit: Any) -> None:
    """Batches of 512 bytes and of 8 MB give the same store, quarantine included."""
    pit.documents(poison=POISON, word="POISON")
    steps = [pit.read(), pit.faulty("raise", most=150)]
    for store, size in (("small", 512), ("large", "8 MB")):
        pit.run(steps, store=store, debug=True, run={"batch_bytes": size})
    assert pit.tree("small") == pit.tree("large")


def test_long_texts_are_capped(pit: Any) -> None:
    """A megabyte of a bad document is 4 KiB in quarantine, with its true length beside it."""
    (pit.root / "data").mkdir()
    text = "POISON " + "long " * 200_000
    (pit.root / "data/a.jsonl").write_text(f'{{"text": "{text}"}}\n{{"text": "calm"}}\n')
    (bad,) = pit.quarantine(pit.run([pit.read(), pit.faulty("raise")], debug=True).outputs)
    assert bad["length"] == len(text)
    assert bad["raw"] == text.encode()[:4096]


def test_a_broken_operator_stops_the_run_at_once(pit: Any) -> None:
    """A hundred failing documents in a row: exit 1 with the operator, the step and a document; nothing published."""
    pit.documents(files=1, rows=150, poison=[(0, row) for row in range(150)], word="POISON")
    result = pit.call(pit.spec([pit.read(), pit.faulty("raise")]))
    assert result.returncode == 1
    for part in ("filter.faulty failed on 100 of 100 documents", "poison found", "step judge", "document "):
        assert part in result.stderr
    assert "Traceback" not in result.stderr
    assert not (pit.store / "datasets").exists()


@pytest.mark.parametrize(
    ("uses", "breach", "words"),
    [
        ("clean.upper", "rows", "39 rows for a batch of 40"),
        ("clean.upper", "type", "column 'text' of type int64"),
        ("clean.upper", "column", "column 'extra'"),
        ("clean.upper", "order", "order of its rows"),
        ("annotate.count", "rows", "0 rows for a batch of 40"),
        ("annotate.count", "type", "column 'number' of type string"),
        ("annotate.count", "column", "['extra', 'number']"),
        ("filter.measure", "rows", "shape (1,) for a batch of 40"),
        ("filter.measure", "signal", "'signal'"),
        ("clean.upper", "nothing", "clean() returned NoneType"),
        ("annotate.count", "nothing", "annotate() returned NoneType"),
        ("filter.measure", "nothing", "measure() returned NoneType"),
        ("split.halves", "rows", "39 rows for a batch of 40"),
        ("split.halves", "nothing", "1 rows for a batch of 40"),
        ("split.halves", "label", "labels from 2 to 2"),
        ("augment.twice", "rows", "39 rows for a batch of 40"),
        ("augment.twice", "nothing", "augment() returned NoneType"),
        ("augment.twice", "parent", "parents are not rows of its batch"),
        ("augment.twice", "order", "parents are not rows of its batch"),
    ],
)
def test_a_broken_contract_names_plugin_and_step(pit: Any, uses: str, breach: str, words: str) -> None:
    """Wrong numbers of rows, types, columns and signals are the operator's fault, never a document's."""
    pit.documents(files=1)
    step = {"id": "broken", "uses": uses, "with": {"breach": breach}}
    with pytest.raises(OperatorError) as caught:
        pit.run([pit.read(), step], debug=True)
    assert words in str(caught.value)
    assert f"step broken ({uses})" in str(caught.value)
    assert not (pit.store / "commits").exists()


def test_neighbours_of_an_inexact_operator_keep_their_batch(pit: Any) -> None:
    """Scores that depend on the batch are those of a run without a fault."""
    pit.documents(files=1, poison=[(0, 3), (0, 20)], word="POISON")
    step = {"id": "judge", "uses": "annotate.inexact"}
    calm = pit.run([pit.read(), step], store="calm", debug=True).outputs
    outputs = pit.run([pit.read(), {**step, "with": {"action": "raise"}}], debug=True).outputs
    bad = {row["id"] for row in pit.quarantine(outputs)}
    assert len(bad) == 2
    assert pit.rows(outputs) == [row for row in pit.rows(calm, store="calm") if row["id"] not in bad]


def test_an_operator_broken_on_every_short_file_stops_the_run(pit: Any) -> None:
    """Thirty files of five documents, none long enough to tell: after a hundred failures the run ends, and says so."""
    pit.documents(files=30, rows=5, poison=[(file, row) for file in range(30) for row in range(5)], word="POISON")
    reader = {**pit.read(), "with": {"paths": "data/*.jsonl", "shard": 500}}
    with pytest.raises(OperatorError, match=r"filter\.faulty failed on 10[0-9] of 10[0-9] documents") as caught:
        pit.run([reader, pit.faulty("raise")], debug=True)
    assert re.search(r"10\d of them in a row in \d+ shards; the last: raised ValueError", caught.value.what)
    assert caught.value.hint == "corpusmill plugins check ./faulty.py"


def test_a_writer_that_raises_on_all_stops_the_run_in_four_parts(pit: Any) -> None:
    """A hundred documents in a row: step, plugin, a document, its file, and what to do; the folder is not made."""
    pit.misbehave_late()
    pit.documents(files=1, rows=120)
    step = {"id": "out", "uses": "write.plain", "with": {"path": str(pit.root / "out"), "raises": "document"}}
    with pytest.raises(OperatorError, match=r"^write\.plain failed on 100 of 100 documents, 100 in a row; ") as caught:
        pit.run([pit.read(), step], debug=True)
    assert "the last: raised ValueError" in caught.value.what
    place = r"step out \(write\.plain\), document [0-9a-f]{32}, file 'data/train-00000-of-00002\.txt', attempt 1$"
    assert re.match(place, caught.value.where)
    assert caught.value.expected
    assert caught.value.hint == "corpusmill plugins check ./late.py"
    assert not (pit.root / "out").exists()
