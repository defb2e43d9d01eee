"""Explaining by replay: real small runs, each document's steps measured again, golden text, and input that is gone."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from corpusmill.cli import main
from corpusmill.plan.check import check
from corpusmill.report.decisions import fate_json, fate_text
from corpusmill.runner.decision import Fate, Signal, StepDecision
from corpusmill.runner.driver import RunOptions, run_spec
from corpusmill.runner.records import RunRecord, latest_run
from corpusmill.runner.replay import replay
from corpusmill.runner.trace import trace

SPEC = """\
corpusmill: 1
name: tiny
seed: 7
limits: {max_bad_fraction: 0.5}
plugins: [./shout.py]
steps:
  - {id: articles, uses: read.jsonl, with: {paths: data/articles.jsonl, columns: [text, topic]}}
  - {id: books,    uses: read.jsonl, with: {paths: data/books.jsonl, columns: [text, topic]}}
  - {id: tidy,     uses: clean.unicode, needs: [articles, books]}
  - {id: loud,     uses: annotate.loud}
  - {id: long,     uses: filter.length, with: {min_chars: 20, max_words: 50}}
  - {id: wanted,   uses: filter.where, with: {column: topic, in: [sea, sky]}}
  - {id: exact,    uses: dedup.exact}
  - {id: split,    uses: split.by-hash, with: {train: 0.5, test: 0.5}}
"""
PLUGIN = '''\
"""A plugin of the tests."""

import pyarrow as pa

from corpusmill import Annotator, hookimpl


class Loud(Annotator):
    """Count exclamation marks."""

    def adds(self):
        return {"loud": pa.int64()}

    def annotate(self, batch):
        for text in self.texts(batch).to_pylist():
            if "poison" in text:
                raise ValueError("cannot hear this")
        return {"loud": pa.array([text.count("!") for text in self.texts(batch).to_pylist()])}


@hookimpl
def corpusmill_register(registry):
    registry.annotator("loud", "shout:Loud", "Count exclamation marks.")
'''
ARTICLES = [
    ("The sea is wide and blue today!", "sea"),
    ("tiny", "sea"),
    ("The land is green and the hills are far.", "land"),
    ("A fine sky\r\nover the\x07 wide harbour!", "sky"),
    ("This one is poison for the plugin.", "sky"),
]
BOOKS = [("The sea is wide and blue today!", "sea")]


REMOVED = """\
document fd206836d5bf8aae0f21622dd42482bf
  from articles.jsonl @ 60

  ✓  articles  read.jsonl     read
  ✓  tidy      clean.unicode  kept
  ✓  loud      annotate.loud  kept
       loud = 0
  ✗  long      filter.length  removed by too-few-characters: 4 (threshold 20)
       ✗  characters  4  at least 20
       ✓  words       1  at most 50

removed at long
"""
KEPT = """\
document 04c66c778f43f756f690a99125b5d68c
  from articles.jsonl @ 163

  ✓  articles  read.jsonl     read
  ✓  tidy      clean.unicode  changed
       - 'A fine sky\\r'
       - 'over the\\x07 wide harbour!'
       + 'A fine sky'
       + 'over the wide harbour!'
  ✓  loud      annotate.loud  kept
       loud = 1
  ✓  long      filter.length  kept
       ✓  characters  33  at least 20
       ✓  words        7  at most 50
  ✓  wanted    filter.where   kept
       topic = sky
       ✓  topic in [sea, sky]
  ✓  exact     dedup.exact    kept
  ✓  split     split.by-hash  kept
       split = train

kept: it stands in articles, wanted, exact, split
"""
DUPLICATE = """\
document 2bcde122aabce85b301e1bbecad10f97
  from books.jsonl @ 0

  ✓  books   read.jsonl     read
  ✓  tidy    clean.unicode  kept
  ✓  loud    annotate.loud  kept
       loud = 1
  ✓  long    filter.length  kept
       ✓  characters  31  at least 20
       ✓  words        7  at most 50
  ✓  wanted  filter.where   kept
       topic = sea
       ✓  topic in [sea, sky]
  ✗  exact   dedup.exact    removed by exact_duplicate: 1 (threshold 1)
       kept instead: 14aef6a327f243c37eaf604637205802

removed at exact
"""


@dataclass
class Project:
    """A folder with a spec that was run."""

    folder: Path

    @property
    def record(self) -> RunRecord:
        return latest_run(self.folder / "store", "tiny")

    def place(self, file: str, row: int) -> str:
        """`FILE@OFFSET` of a row, counted from 0."""
        lines = (self.folder / "data" / file).read_bytes().splitlines(keepends=True)
        return f"{file}@{sum(map(len, lines[:row]))}"

    def fate(self, file: str, row: int) -> Fate:
        return trace(self.record, self.place(file, row), replay)

    def step(self, fate: Fate, name: str) -> StepDecision:
        return next(one for one in fate.decisions if one.step == name)

    def run(self) -> None:
        checked = check(self.folder / "spec.yaml")
        run_spec(checked, RunOptions(store=str(self.folder / "store"), debug=True))


def lay_out(folder: Path) -> Project:
    """Write the spec, its plugin and its data, and run it."""
    (folder / "data").mkdir(parents=True)
    (folder / "spec.yaml").write_text(SPEC)
    (folder / "shout.py").write_text(PLUGIN)
    for name, rows in (("articles.jsonl", ARTICLES), ("books.jsonl", BOOKS)):
        lines = [json.dumps({"text": text, "topic": topic}) for text, topic in rows]
        (folder / "data" / name).write_text("".join(f"{line}\n" for line in lines))
    project = Project(folder)
    project.run()
    return project


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A run that no test changes."""
    return lay_out(tmp_path_factory.mktemp("replay"))


@pytest.fixture
def own_project(tmp_path: Path) -> Project:
    """A run whose input a test may change."""
    return lay_out(tmp_path / "own")


@pytest.mark.parametrize(
    ("file", "row", "text"),
    [("articles.jsonl", 1, REMOVED), ("articles.jsonl", 3, KEPT), ("books.jsonl", 0, DUPLICATE)],
)
def test_the_whole_way_is_printed(project: Project, file: str, row: int, text: str) -> None:
    """Removed by a filter, kept, and duplicate: every step's decision with rule, measured value and threshold."""
    assert fate_text(project.fate(file, row)) == text


def test_the_command_replays(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    """`explain` as typed prints the golden text, through a union and a plugin file of the run."""
    with pytest.raises(SystemExit) as ended:
        main(["explain", "tiny", project.place("articles.jsonl", 3), "--store", str(project.folder / "store")])
    assert (ended.value.code, capsys.readouterr().out) == (0, KEPT)


def test_the_command_can_run_nothing(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    """`--recorded` shows what the ledger knows and runs no step."""
    with pytest.raises(SystemExit):
        main(["explain", "tiny", "fd206836d5bf", "--recorded", "--store", str(project.folder / "store")])
    out = capsys.readouterr().out
    assert "removed by too-few-characters: 4 (threshold 20)" in out
    assert "loud = 0" not in out


def test_all_rules_of_a_filter_are_told(project: Project) -> None:
    """A filter that measures tells each rule with its value, its threshold and whether it passed."""
    long = project.step(project.fate("articles.jsonl", 1), "long")
    assert long.signals == (
        Signal("characters", 4.0, 20.0, "least", passed=False),
        Signal("words", 1.0, 50.0, "most", passed=True),
    )


def test_a_filter_that_judges_tells_what_it_read(project: Project) -> None:
    """filter.where measures nothing: the condition that failed and the column's value are told."""
    wanted = project.step(project.fate("articles.jsonl", 2), "wanted")
    assert (wanted.verdict, wanted.rule, wanted.detail) == ("removed", "topic in [sea, sky]", "land")
    assert (wanted.columns, wanted.signals[0].passed) == ((("topic", "land"),), False)


def test_a_cleaner_gives_the_text_before_and_after(project: Project) -> None:
    """The whole text on both sides is in the decision, for `--json`."""
    tidy = project.step(project.fate("articles.jsonl", 3), "tidy")
    assert (tidy.before, tidy.after) == (
        "A fine sky\r\nover the\x07 wide harbour!",
        "A fine sky\nover the wide harbour!",
    )


def test_the_kept_one_counts_its_duplicates(project: Project) -> None:
    """A document that stayed for others says how many were removed for it."""
    assert project.step(project.fate("articles.jsonl", 0), "exact").detail == "1 duplicate of it removed"


def test_every_document_that_was_kept_replays_as_it_was_published(project: Project) -> None:
    """The replay ends with the very row the run published: no decision carries a note."""
    for row in (0, 3):
        fate = project.fate("articles.jsonl", row)
        assert fate.outcome == "kept"
        assert [one.note for one in fate.decisions if one.note] == []


def test_a_document_a_step_failed_on_is_told_as_quarantined(project: Project) -> None:
    """It stands in the dataset before, yet its way ended at the step that raised, with the error's words."""
    fate = project.fate("articles.jsonl", 4)
    last = fate.decisions[-1]
    assert (fate.outcome, last.step, last.verdict) == ("quarantined", "loud", "quarantined")
    assert "cannot hear this" in (last.detail or "")
    assert [one.step for one in fate.decisions] == ["articles", "tidy", "loud"]


def test_changed_input_is_said_and_the_ledger_still_answers(own_project: Project) -> None:
    """Rows read from a file that changed since are not measured again; what took the document out is still known."""
    path = own_project.folder / "data" / "articles.jsonl"
    place = own_project.place("articles.jsonl", 1)
    path.write_bytes(path.read_bytes().replace(b"tiny", b"TINY"))
    fate = trace(own_project.record, place, replay)
    assert "'articles.jsonl' changed since the run read it" in (fate.decisions[0].note or "")
    assert [one.verdict for one in fate.decisions] == ["unknown", "kept", "kept", "removed"]


def test_input_that_is_gone_is_said_and_the_dataset_still_answers(own_project: Project) -> None:
    """A deleted file costs only the steps of its own pass: later ones start from the dataset in the store."""
    place = own_project.place("books.jsonl", 0)
    (own_project.folder / "data" / "books.jsonl").unlink()
    fate = trace(own_project.record, place, replay)
    assert "'books.jsonl' is gone" in (fate.decisions[0].note or "")
    assert fate_text(fate).splitlines()[3:5] == [
        "  ·  books   read.jsonl     read",
        "       ! not measured again: the input file 'books.jsonl' is gone",
    ]
    assert own_project.step(fate, "long").signals[0].value == 31.0


def test_code_that_changed_since_is_said(own_project: Project) -> None:
    """A replay that gives something else than the run published says so instead of passing it off as the run's."""
    plan = own_project.record.folder / "plan.json"
    told = json.loads(plan.read_text())
    told["plugins"][0]["source"] = PLUGIN.replace('count("!")', 'count("e")')
    told["plugins"][0]["hash"] = "0" * 32
    plan.write_text(json.dumps(told))
    fate = own_project.fate("articles.jsonl", 3)
    assert "the run used" in (own_project.step(fate, "loud").note or "")
    assert "the run published another loud" in (own_project.step(fate, "wanted").note or "")


def test_a_rule_that_changed_since_is_said(own_project: Project) -> None:
    """Where the replay keeps what the run removed, the ledger has the last word and the difference is noted."""
    plan = own_project.record.folder / "plan.json"
    plan.write_text(plan.read_text().replace('"min_chars":20', '"min_chars":2'))
    long = own_project.step(own_project.fate("articles.jsonl", 1), "long")
    assert (long.verdict, long.rule) == ("removed", "too-few-characters")
    assert "the run says removed at long" in (long.note or "")


def test_the_json_is_strict(project: Project) -> None:
    """`--json` holds no NaN, so that any parser reads it."""
    for row in range(5):
        json.dumps(fate_json(project.fate("articles.jsonl", row)), allow_nan=False)
