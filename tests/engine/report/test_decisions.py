"""Explaining a document: found by id, prefix or place; removed, kept, ambiguous and unknown told apart."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

import pytest

from corpusmill.errors import StoreError, UsageError
from corpusmill.report.decisions import fate_json, fate_text
from corpusmill.runner.decision import Fate, Signal, StepDecision, TokenPlace
from corpusmill.runner.records import RunRecord
from corpusmill.runner.search import first_removal
from corpusmill.runner.trace import trace

KEPT, TWIN, WEAK = "aaaa1111" + "0" * 24, "bbbb2222" + "0" * 24, "bbbb3333" + "0" * 24

REMOVED = """\
document bbbb3333000000000000000000000000
  from pages-0.warc.gz @ 300

  ·  documents  clean.unicode          passed
  ✗  quality    filter.gopher-quality  removed by few words: 12 (threshold 30)
       detail: 12 words

removed at quality
"""


def test_a_removed_document_is_explained(finished_run: RunRecord) -> None:
    """The step, rule, value and threshold that took it out, after the steps it surely passed."""
    assert fate_text(trace(finished_run, WEAK)) == REMOVED


def test_a_duplicate_names_the_one_that_stayed(finished_run: RunRecord) -> None:
    """A duplicate stands in an earlier dataset, yet the run removed it; the kept one is named."""
    text = fate_text(trace(finished_run, "bbbb2222"))
    assert f"kept instead: {KEPT}" in text
    assert text.endswith("removed at near\n")


@pytest.mark.parametrize("document", [KEPT, KEPT[:8], "pages-0.warc.gz@100"])
def test_a_kept_document_is_found_by_id_prefix_or_place(finished_run: RunRecord, document: str) -> None:
    """All three ways name the same document, and the datasets it stands in."""
    fate = trace(finished_run, document)
    assert (fate.id, fate.outcome, fate.found_in) == (KEPT, "kept", ("quality", "split"))
    assert [one.step for one in fate.decisions] == ["documents", "quality", "near", "split"]


def test_the_way_stops_where_it_is_not_known(finished_run: RunRecord) -> None:
    """Before a union nothing says which reader the document came from, so neither is claimed."""
    assert {"pages", "articles", "books"}.isdisjoint(one.step for one in trace(finished_run, KEPT).decisions)


def test_a_replay_adds_what_was_measured(finished_run: RunRecord) -> None:
    """Values measured again are shown for steps passed; the ledger keeps the last word on the removal."""

    def replay(record: RunRecord, document: str) -> Sequence[StepDecision]:
        passed = Signal("words", 12.0, 30.0, "least", passed=False)
        return [
            StepDecision("documents", "clean.unicode", "changed", before="ﬁne", after="fine"),
            StepDecision("quality", "filter.gopher-quality", "removed", rule="few words", signals=(passed,)),
        ]

    fate = trace(finished_run, WEAK, replay)
    assert fate.decisions[1].value == 12.0
    text = fate_text(fate)
    assert "       ✗  words  12  at least 30" in text
    assert "       - ﬁne\n       + fine" in text


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ("bbbb2", "does not name a document"),
        ("cccccccc", "no document 'cccccccc' in run 'quickstart'"),
        ("pages-0.warc.gz@101", "no document"),
    ],
)
def test_what_cannot_be_found_says_what_to_type(finished_run: RunRecord, document: str, said: str) -> None:
    """Too short a prefix, an unknown id and an empty place are errors with the next command."""
    with pytest.raises(UsageError, match=said) as caught:
        trace(finished_run, document)
    assert "corpusmill show run:" in (caught.value.hint or "")


def test_a_prefix_of_two_documents_lists_them(finished_run: RunRecord) -> None:
    """Where a prefix fits several documents, they are named instead of one picked."""
    with pytest.raises(UsageError, match="fits 2 documents") as caught:
        trace(finished_run, "dddd4444")
    assert "dddd4444" + "0" * 24 in (caught.value.expected or "")


def test_an_example_of_a_removed_document_is_the_last_stage_s(finished_run: RunRecord) -> None:
    """The summary's example comes from the last ledger, its step named."""
    removal = first_removal(finished_run)
    assert removal is not None
    assert (removal.id, removal.step) == (TWIN, "near")


def test_a_lost_ledger_is_a_store_error(finished_run: RunRecord) -> None:
    """A ledger that is gone is named, with what to do."""
    path = finished_run.folder / "outputs.json"
    outputs = json.loads(path.read_text())
    outputs["ledger"][0]["path"] = "files/00/gone.arrow"
    path.write_text(json.dumps(outputs))
    with pytest.raises(StoreError, match="cannot read a ledger"):
        trace(RunRecord(finished_run.name, finished_run.timestamp, finished_run.folder), WEAK)


def test_the_json_of_a_fate_is_json(finished_run: RunRecord) -> None:
    """What `--json` prints survives a round trip."""
    fate = fate_json(trace(finished_run, WEAK))
    assert json.loads(json.dumps(fate))["decisions"][-1]["rule"] == "few words"


PAINTED = """\
\x1b[1mdocument bbbb3333000000000000000000000000\x1b[0m
  from pages-0.warc.gz @ 300

  \x1b[2m·\x1b[0m  documents  clean.unicode          passed
  \x1b[31m✗  quality    filter.gopher-quality  removed by few words: 12 (threshold 30)\x1b[0m
       detail: 12 words

\x1b[1;31mremoved at quality\x1b[0m
"""


def test_a_terminal_gets_colours(finished_run: RunRecord) -> None:
    """Red is what went, green what passed; without the colours it is the same text."""
    fate = trace(finished_run, WEAK)
    assert fate_text(fate, colour=True) == PAINTED
    assert re.sub(r"\x1b\[[0-9;]*m", "", PAINTED) == REMOVED


def test_the_place_among_tokens_is_told() -> None:
    """Split, number, tokens and windows of a kept document; windows that are not next to each other one by one."""
    near = TokenPlace("t", "train", 2, 34, 412, (33, 34, 35), 7, 1200)
    apart = TokenPlace("packed", "", 0, 0, 1, (1, 5, 9), 0, 12)
    one, nowhere = TokenPlace("t", "", 0, 3, 9, (4,), 0, 12), TokenPlace("t", "", 0, 3, 1, (), 0, 12)
    text = fate_text(Fate(KEPT, "a.jsonl", 0, "kept", (), ("split",), (near, apart, one, nowhere)))
    assert text.splitlines()[3:8] == [
        "",
        "tokens of t: split train, document 34 in part 2, 412 tokens in windows 33 to 35 of 1,200, behind 7 of others",
        "tokens of packed: document 0 in part 0, 1 token in windows 1, 5, 9 of 12",
        "tokens of t: document 3 in part 0, 9 tokens in window 4 of 12",
        "tokens of t: document 3 in part 0, 1 token, in no window",
    ]


def test_hostile_values_are_only_text(hostile: str) -> None:
    """File names, details and texts cannot steer the terminal."""
    values: dict[str, Any] = {"rule": hostile, "detail": hostile, "other": hostile, "before": hostile, "after": "x"}
    decision = StepDecision(hostile, hostile, "removed", **values, signals=(Signal(hostile, 1.0),))
    text = fate_text(Fate(hostile, hostile, 1, "removed", (decision,)))
    assert not {"\x1b", "\x07", "\u202e"} & set(text)
    assert "[red]" in text
