"""Signals in whole runs: histograms of all documents, values on request, the same bytes however a run went."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import orjson
import pytest

from corpusmill.cli import main
from corpusmill.errors import CorpusmillError, OperatorError, SpecError
from corpusmill.report.inspection import inspection_json, inspection_text
from corpusmill.report.looking import look_up
from corpusmill.runner.records import latest_run
from corpusmill.runner.what_if import what_if

LENGTH = {"id": "length", "uses": "filter.length", "with": {"min_chars": 120, "max_words": 50}}
OWN_WAY = '''
import numpy as np

from corpusmill import Filter, Verdicts, at_most, hookimpl


class Own(Filter):
    """Keep everything."""

    def setup(self):
        self.rows = np.int32(-1)

    def judge(self, batch):
        return Verdicts((at_most("x", 1),), np.full(batch.num_rows, self.rows), np.zeros(batch.num_rows))


@hookimpl
def corpusmill_register(registry):
    registry.filter("own", ":Own", "Keep.")
'''


def kept(step: dict[str, Any]) -> dict[str, Any]:
    return {**step, "with": {**step["with"], "signals": "keep"}}


def prepared(mill: Any, *steps: dict[str, Any]) -> tuple[list[str], list[dict[str, Any]]]:
    """Write three files of texts, each a shard; return all texts in input order, and the steps."""
    texts = [mill.texts(80, seed) for seed in (1, 2, 3)]
    for name, some in zip("abc", texts, strict=True):
        mill.jsonl(f"data/{name}.jsonl", some)
    reader = {"id": "read", "uses": "read.jsonl", "with": {"paths": "data/*.jsonl", "shard": 16_000}}
    return [one for some in texts for one in some], [reader, *steps]


def test_a_run_tells_the_distribution_of_what_it_measured(mill: Any) -> None:
    """Every document that reached the filter is counted once, in the bin of its value, over all shards."""
    texts, steps = prepared(mill, LENGTH)
    told = mill.run(steps).outputs["signals"]["length"]
    assert told["uses"] == "filter.length"
    assert [(one["signal"], one["side"], one["threshold"]) for one in told["rules"]] == [
        ("characters", "least", 120.0),
        ("words", "most", 50.0),
    ]
    for name, values in (("characters", list(map(len, texts))), ("words", [len(one.split()) for one in texts])):
        found = told["signals"][name]
        assert (found["rows"], found["missing"]) == (len(texts), 0)
        assert (found["least"], found["largest"]) == (min(values), max(values))
        assert [rows for *_, rows in found["bins"]] == [
            sum(low <= one < high for one in values) for low, high, _ in found["bins"]
        ]
    assert mill.outputs()["signals"]["length"] == told


def test_a_later_filter_measures_what_is_left(mill: Any) -> None:
    """The second of two filters counts the documents that the first let through."""
    second = {"id": "second", "uses": "filter.length", "with": {"min_chars": 150, "max_words": 45}}
    _, steps = prepared(mill, LENGTH, second)
    outputs = mill.run(steps).outputs
    found = outputs["signals"]["second"]["signals"]["words"]
    assert found["rows"] == outputs["counts"]["second"]["in"] < outputs["counts"]["length"]["in"]
    assert found["largest"] <= 50


def test_a_column_held_against_a_number_is_a_signal(mill: Any) -> None:
    """`filter.where` measures nothing, but the scores it compares have a distribution, nulls counted apart."""
    where = {"id": "where", "uses": "filter.where", "with": {"all": [{"column": "score", "at_least": 0.5}]}}
    mill.jsonl("data/a.jsonl", [{"text": "x", "score": score} for score in (0.25, 0.5, 0.75, None, 3.0)])
    reader = {"id": "read", "uses": "read.jsonl", "with": {"paths": "data/*.jsonl", "columns": ["text", "score"]}}
    told = mill.run([reader, where])
    found = told.outputs["signals"]["where"]
    assert found["rules"] == [
        {"signal": "score", "side": "least", "threshold": 0.5, "reason": "score >= 0.5"},
    ]
    score = found["signals"]["score"]
    assert (score["rows"], score["missing"], score["least"], score["largest"]) == (5, 1, 0.25, 3.0)


def test_kept_values_can_be_read_back(mill: Any) -> None:
    """One row a judged document, kept or not, in input order, with the values it was judged by."""
    texts, steps = prepared(mill, kept(LENGTH))
    outputs = mill.run(steps).outputs
    rows = [row for one in outputs["values"] for row in mill.table(one["path"])]
    assert {one["step"] for one in outputs["values"]} == {"length"}
    assert [(one["characters"], one["words"]) for one in rows] == [(len(one), len(one.split())) for one in texts]
    survivors = {row["id"] for row in mill.rows(outputs["outputs"]["length"]["digest"])}
    assert survivors == {row["id"] for row in rows if row["characters"] >= 120 and row["words"] <= 50}


def test_keeping_values_changes_no_document(mill: Any) -> None:
    """The dataset is the same; only the pass ran again, for its values were not there."""
    _, steps = prepared(mill, LENGTH)
    before = mill.run(steps).outputs
    after = mill.run([steps[0], kept(LENGTH)]).outputs
    assert before["outputs"]["length"]["digest"] == after["outputs"]["length"]["digest"]
    assert before["signals"] == after["signals"]
    assert before["values"] == []
    assert len(after["values"]) > 1


@pytest.mark.parametrize("way", [{"run": {"batch_bytes": "2 KB"}}, {"executor": "inline"}], ids=["batches", "forked"])
def test_signals_have_the_same_bytes_however_a_run_went(mill: Any, way: dict[str, Any]) -> None:
    """Small batches and another process leave the same commit records and files of values."""
    steps = prepared(mill, kept(LENGTH), {"id": "short", "uses": "filter.short", "with": {"most": 250}})[1]
    first = mill.run(steps).outputs
    other = str(mill.root / "other")
    second = mill.run(steps, store=other, **way).outputs
    assert first["signals"] == second["signals"]
    assert mill.tree() == mill.tree(other)


def test_a_rerun_takes_the_histograms_from_the_store(mill: Any) -> None:
    """Nothing is measured again, and the run still tells all of it."""
    step = {"id": "short", "uses": "filter.short", "with": {"most": 150, "log": str(mill.log)}}
    steps = prepared(mill, step)[1]
    first = mill.run(steps).outputs["signals"]
    assert mill.calls()["short"] > 0
    assert mill.run(steps).outputs["signals"] == first
    assert mill.calls()["short"] == 0


def test_a_lost_file_of_values_is_made_again(mill: Any) -> None:
    """A record counts as done only with all its files: the shard whose values are gone runs again."""
    steps = prepared(mill, kept(LENGTH))[1]
    first = mill.run(steps).outputs
    path = Path(first["values"][1]["path"])
    before = path.read_bytes()
    path.unlink()
    assert mill.run(steps).outputs["values"] == first["values"]
    assert path.read_bytes() == before


def test_a_filter_that_measures_nothing_cannot_keep_signals(mill: Any) -> None:
    """`signals: keep` where there are none is an error of the check, with the way out, not an empty file."""
    where = {"id": "where", "uses": "filter.where", "with": {"column": "text", "is_not": "x", "signals": "keep"}}
    steps = prepared(mill, where)[1]
    with pytest.raises(SpecError, match=r"filter\.where measures nothing here that could be kept") as raised:
        mill.run(steps)
    assert "(step 'where')" in str(raised.value)
    assert "take `signals: keep` out" in str(raised.value)
    where["with"] = {"column": "offset", "at_least": 0, "signals": "keep"}
    assert mill.run(steps).outputs["values"]


def test_a_judge_that_cannot_be_asked_beforehand_fails_at_its_first_batch(mill: Any) -> None:
    """A filter that judges in its own way and needs to be set up for it: the same words, later."""
    mill.jsonl("data/a.jsonl", ["one text"])
    (mill.root / "own.py").write_text(OWN_WAY)
    step = {"id": "own", "uses": "filter.own", "with": {"signals": "keep"}}
    reader = {"id": "read", "uses": "read.jsonl", "with": {"paths": "data/*"}}
    with pytest.raises(OperatorError, match="measures nothing that could be kept"):
        mill.run([reader, step], plugins=["./own.py"])


def test_the_journal_does_not_repeat_them(mill: Any) -> None:
    """Histograms stand in outputs.json; the run's event log stays small."""
    result = mill.run(prepared(mill, LENGTH)[1])
    events = [orjson.loads(line) for line in (result.folder / "journal.jsonl").read_bytes().splitlines()]
    assert not any("signals" in event for event in events)
    assert b'"bins"' not in (result.folder / "journal.jsonl").read_bytes()


def test_two_steps_with_other_limits_measure_once(mill: Any) -> None:
    """In a whole run, too: the second step of an operator that declares its thresholds is never asked to measure."""
    plugin, words = mill.root / "counting.py", '    """Keep short texts."""\n'
    plugin.write_text(plugin.read_text().replace(words, f'{words}\n    thresholds = ("most",)\n'))
    first, second = (
        {"id": name, "uses": "filter.short", "with": {"most": most, "log": str(mill.log)}}
        for name, most in (("wide", 200), ("narrow", 150))
    )
    outputs = mill.run(prepared(mill, first, second)[1]).outputs
    assert mill.calls().keys() == {"wide"}
    assert outputs["counts"]["narrow"]["removed"]["characters"] > 0
    assert outputs["signals"]["narrow"]["signals"]["characters"]["largest"] <= 200


def test_show_tells_what_was_measured(mill: Any) -> None:
    """The range and limits of each signal, the first kept values, and the way there from the step itself."""
    texts, steps = prepared(mill, kept(LENGTH))
    mill.run(steps)
    found = look_up("run:mill/length.signals", mill.store_uri, 2)
    shown, told = inspection_text(found), inspection_json(found)
    assert f"kept of {len(texts)} documents" in shown
    assert "at least 120 (too-few-characters)" in shown
    assert [row["characters"] for row in told["first"]] == [len(text) for text in texts[:2]]
    assert told["signals"]["words"]["rows"] == len(texts)
    assert "length.signals" in inspection_text(look_up("run:mill/length", mill.store_uri, 0))


def test_show_without_kept_values_says_how_to_keep_them(mill: Any) -> None:
    """Histograms are there all the same."""
    texts, steps = prepared(mill, LENGTH)
    mill.run(steps)
    shown = inspection_text(look_up("run:mill/length.signals", mill.store_uri, 2))
    assert "signals: keep" in shown
    assert f"{len(texts)}" in shown


def test_what_if_says_what_another_run_would_have_done(mill: Any) -> None:
    """Reasons, counts and whose fate changes are those of a run with these options, though nothing runs."""
    _, steps = prepared(mill, kept(LENGTH))
    first = mill.run(steps).outputs
    record = latest_run(mill.store_uri, "mill")
    told = what_if(record, "length", {"min_chars": 160, "max_words": 55})
    other = {**LENGTH, "with": {"min_chars": 160, "max_words": 55}}
    second = mill.run([steps[0], other], store=str(mill.root / "other")).outputs
    assert told.before == first["counts"]["length"]["removed"]
    assert told.after == second["counts"]["length"]["removed"]
    before, after = (
        {row["id"] for row in mill.rows(one["outputs"]["length"]["digest"], store)}
        for one, store in ((first, None), (second, str(mill.root / "other")))
    )
    assert (told.newly_removed, told.newly_kept) == (len(before - after), len(after - before))
    assert told.newly_removed > 0
    assert told.newly_kept > 0
    assert set(told.examples["newly_removed"]) <= before - after
    assert set(told.examples["newly_kept"]) <= after - before


def test_what_if_is_typed(mill: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """The paths are those of `run --set`; text and JSON say the same."""
    mill.run(prepared(mill, kept(LENGTH))[1])
    words = ["whatif", "mill", "--set", "length.min_chars=160", "--store", mill.store_uri]
    with pytest.raises(SystemExit) as ended:
        main(words)
    text = capsys.readouterr().out
    assert ended.value.code == 0
    assert "min_chars: 120 → 160" in text
    with pytest.raises(SystemExit):
        main([*words, "--json"])
    (told,) = json.loads(capsys.readouterr().out)
    assert told["options"] == {"min_chars": {"before": 120, "after": 160}}
    assert f"{told['newly_removed']} newly removed" in text
    assert told["newly_kept"] == 0


@pytest.mark.parametrize(
    ("step", "options", "words"),
    [
        ("length", {"max_words": 40}, "can change what filter.length measures"),
        ("lengt", {"min_chars": 1}, "no filter 'lengt'"),
        ("length", {"min_char": 1}, "unknown option 'min_char'"),
        ("length", {"min_chars": "many"}, "min_chars"),
        ("short", {"most": 100}, "can change what filter.short measures"),
        ("bare", {"min_chars": 50}, "kept no values"),
        ("where", {"is_not": "y"}, "judges in its own way"),
    ],
)
def test_what_cannot_be_told_is_refused(mill: Any, step: str, options: dict[str, Any], words: str) -> None:
    """Options that change what is measured, filters without values, wrong names and values: each with a way on."""
    others = [
        {"id": "short", "uses": "filter.short", "with": {"most": 400, "signals": "keep"}},
        {"id": "bare", "uses": "filter.length", "with": {"min_chars": 1}},
        {"id": "where", "uses": "filter.where", "with": {"column": "text", "is_not": "x"}},
    ]
    length = kept({"id": "length", "uses": "filter.length", "with": {"min_chars": 120}})
    mill.run(prepared(mill, length, *others)[1])
    with pytest.raises(CorpusmillError, match=re.escape(words)) as raised:
        what_if(latest_run(mill.store_uri, "mill"), step, options)
    assert raised.value.exit_code == 2
