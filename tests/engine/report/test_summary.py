"""The summary: one golden text, and what it says of failures, branches and hostile words."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from corpusmill.report.commands import next_commands
from corpusmill.report.ending import _short
from corpusmill.report.funnel import build_funnel
from corpusmill.report.summary import summarise
from corpusmill.runner.journal import Event

GOLDEN = """\
quickstart: done in 2 min 14 s (executor ray, started 2026-11-22T03:44:29Z)

Documents
  read         6,120
  kept         4,003  65.4 %
  removed      2,107  34.4 %
  quarantined     10   0.2 %

Steps
  step          in    out   lost  why
  pages      5,120  5,110     10  quarantined: invalid gzip member 10
  articles   5,110  5,000    110  no main text 110
  books      1,000  1,000
  documents  6,000  6,000
  quality    6,000  4,203  1,797  few words 1,200, symbol ratio 400, bullet lines 150, short words 40, 1 more
  near       4,203  4,003    200  duplicate 180, duplicate-via 20
  split      4,003  4,003

Tokens and model
  vocabulary  tokenizer  size 4,096
  tokens      tokens     train 1,111,111, validation 61,728, test 61,001 tokens
  model       model      steps 300, parameters 2,600,000, stopped no
  model       loss       loss 8.200 at the start, 4.227 at step 300

Evaluation
  score       perplexity  unigram perplexity  bits per byte  loss  tokens
  validation        85.2                 812           1.88   4.5  61,728
  test             90.13               830.2           1.91   4.5  61,728

Made
  dataset    split: 4,003 documents (train 3,602, validation 201, test 200)
             digest 3f0c9e1d8a7b4c5d9e0f1a2b3c4d5e6f
             datasets/3f0c9e1d8a7b4c5d9e0f1a2b3c4d5e6f
  model      model: artifacts/d3
  tokenizer  vocabulary: artifacts/b1
  files      export: out/quickstart
  report     store/runs/quickstart/20261122/report.html

Next
  corpusmill show run:quickstart/split
  corpusmill explain quickstart 9f86d081884c7d65
  corpusmill plan pipelines/quickstart.yaml --set near.threshold=0.8
"""


def test_the_summary_reads_as_it_should(outputs: dict[str, Any], plan: dict[str, Any], events: Sequence[Event]) -> None:
    """Documents, steps, tokens, loss, perplexity beside the unigram model's, digest, places, next commands."""
    spec, removed = "pipelines/quickstart.yaml", "9f86d081884c7d65"
    commands = next_commands(outputs, plan=plan, spec=spec, removed_id=removed)
    report = "store/runs/quickstart/20261122/report.html"
    assert summarise(outputs, plan=plan, events=events, commands=commands, report=report) == GOLDEN


def test_the_summary_adds_up(outputs: dict[str, Any]) -> None:
    """The totals shown are those of the steps: read + added = kept + removed + quarantined."""
    funnel = build_funnel(outputs)
    assert funnel.is_line
    assert funnel.read + funnel.added == funnel.kept + funnel.removed + funnel.quarantined
    assert funnel.kept == outputs["outputs"]["split"]["rows"]


def test_steps_that_branch_claim_no_total(outputs: dict[str, Any], plan: dict[str, Any]) -> None:
    """Where two steps read one dataset, no total of kept documents is made up."""
    other = {"id": "other", "uses": "filter.length", "needs": {"documents": ["near"]}}
    plan["stages"].append({"id": "other", "kind": "pass", "steps": [other]})
    outputs["counts"]["other"] = {"uses": "filter.length", "in": 4003, "out": 3, "removed": {"short": 4000}}
    text = summarise(outputs, plan=plan)
    assert "steps branch" in text
    assert "kept" not in text.partition("Steps\n")[0]


def test_counts_that_do_not_add_up_claim_no_total(outputs: dict[str, Any]) -> None:
    """Without a plan, a step whose rows do not balance is enough not to claim a total."""
    outputs["counts"]["near"]["out"] -= 1
    assert not build_funnel(outputs).is_line


def test_a_failed_run_says_why_and_how_to_go_on(outputs: dict[str, Any]) -> None:
    """A run that failed early shows its error, what exists, and the command that resumes it first."""
    run = {"name": "quickstart", "status": "failed", "seconds": 3.0, "error": "disk full: needs 3 GB\n  at: store"}
    commands = next_commands(run, spec="my spec.yaml", store="/data/store")
    text = summarise(run, commands=commands)
    assert "disk full: needs 3 GB\n  at: store\n" in text
    assert "the same command continues" in text
    assert commands == [
        "corpusmill run 'my spec.yaml' --store /data/store",
        "corpusmill status quickstart --store /data/store",
    ]


def test_a_spec_without_training_has_no_empty_sections(outputs: dict[str, Any]) -> None:
    """Any spec will do: what a run did not make is not mentioned."""
    run = {**outputs, "outputs": {}, "counts": {"pages": outputs["counts"]["pages"]}}
    text = summarise(run)
    assert [word for word in ("Evaluation", "Tokens", "Made", "Next", "Damaged") if word in text] == []


def test_a_hostile_run_cannot_steer_the_terminal(hostile_run: dict[str, Any], events: Sequence[Event]) -> None:
    """No control, escape or direction mark reaches the terminal from file names, reasons, metrics or paths."""
    text = summarise(hostile_run, events=events, commands=["corpusmill \x1b[2J"], report="\x1b[31m")
    assert not [one for one in text if unicodedata.category(one) in {"Cc", "Cf"} and one != "\n"]
    assert "[31m" not in text
    assert "[2J" not in text


def test_next_commands_move_the_threshold_that_matters(outputs: dict[str, Any], plan: dict[str, Any]) -> None:
    """Without a `threshold`, the step that removed most offers its own limit, moved."""
    del plan["stages"][3]["steps"][0]["options"]["threshold"]
    assert next_commands(outputs, plan=plan, spec="a.yaml")[1] == "corpusmill plan a.yaml --set quality.min_words=40"


def test_a_bucket_is_named_as_it_is_typed() -> None:
    """A path is shortened to what it is called from here; a URI is no path."""
    assert _short("s3://mill/hunt") == "s3://mill/hunt"
    assert _short(str(Path.cwd() / "store")) == "store"
    assert _short("/somewhere/else") == "/somewhere/else"
