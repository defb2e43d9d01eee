"""`report` as typed, and what it shows beyond counts: documents, duplicates, languages, places, costs."""

from __future__ import annotations

import json
import socket
from collections.abc import Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

import corpusmill
from corpusmill.cli import main
from corpusmill.report.evidence import Evidence, Languages, gather
from corpusmill.report.html import render, report_of
from corpusmill.report.sections import cut_text, duplicates
from corpusmill.report.summary import summarise
from corpusmill.runner.bad_records import BadReason, BadRecord
from corpusmill.runner.boundary import Nearest, nearest_documents
from corpusmill.runner.journal import Event, Journal
from corpusmill.runner.records import RunRecord, latest_run

SPEC = """\
corpusmill: 1
name: words
store: {store}
limits: {{max_bad_fraction: 0.5}}
steps:
  - {{id: raw, uses: read.jsonl, with: {{paths: "*.jsonl", columns: [text, language]}}}}
  - {{id: long, uses: filter.length, with: {{min_words: 5{signals}}}}}
  - {{id: exact, uses: dedup.exact}}
  - {{id: export, uses: write.jsonl, with: {{path: {store}/out}}}}
"""


class Text(HTMLParser):
    """The words of a page and its tags."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.text, self.tags = "", set[str]()
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


def bad(reason: str, detail: str, places: int) -> BadReason:
    one = BadRecord(reason, reason, reason, 1, 9, None, detail, b"")
    return BadReason(reason, reason, 9, again=False, records=(one,) * places)


def words(number: int, mark: str) -> str:
    return " ".join([f"{mark}{number}"] * number)


@pytest.fixture
def run_words(tmp_path: Path) -> Any:
    """Return a function: run documents of 1 to 9 words, one of them twice, one line broken -> the run's record."""

    def run(signals: str = "", mark: str = "w") -> RunRecord:
        texts = [words(number, mark) for number in range(1, 10)] + [words(9, mark)]
        lines = [
            json.dumps({"text": text, "language": "en" if place % 3 else "zh"}) for place, text in enumerate(texts)
        ]
        (tmp_path / "some.jsonl").write_text("\n".join([*lines, "{broken"]) + "\n")
        spec = tmp_path / "words.yaml"
        spec.write_text(SPEC.format(store=tmp_path / "store", signals=signals))
        corpusmill.run(spec, executor="inline")
        return latest_run(tmp_path / "store", "words")

    return run


@pytest.mark.parametrize("signals", ["", ", signals: keep"])
def test_the_nearest_documents_of_a_threshold_are_found_on_both_sides(run_words: Any, signals: str) -> None:
    """Of documents of 1 to 9 words and `min_words: 5`: 4 and 3 were removed, 5 and 6 kept, each with its text."""
    found = nearest_documents(run_words(signals), again=True)
    told = [(one.step, one.side, one.value, one.threshold, one.text) for one in found]
    sides = [("removed", 4.0), ("removed", 3.0), ("kept", 5.0), ("kept", 6.0)]
    assert told == [("long", side, value, 5.0, words(int(value), "w")) for side, value in sides]
    assert all(one.file == "some.jsonl" for one in found if one.side == "removed")


def test_a_run_ends_with_values_and_places_without_reading_documents_again(run_words: Any) -> None:
    """The report of the run itself names removed documents; texts are what the command adds."""
    record = run_words()
    page = Text((record.folder / "report.html").read_text())
    assert "Documents at the thresholds" in page.text
    assert "some.jsonl@" in page.text
    assert "w4 w4 w4 w4" not in page.text
    assert "corpusmill report words" in page.text


def test_the_command_writes_texts_languages_clusters_quarantine_and_costs(
    run_words: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`report RUN --output FILE` writes one page with all of it, and prints where."""
    record, target = run_words(), tmp_path / "page.html"
    with pytest.raises(SystemExit) as ended:
        main(["report", "words", "--store", record.store, "--output", str(target)])
    assert (ended.value.code, capsys.readouterr().out.strip()) == (0, str(target))
    page = Text(target.read_text())
    told = ["w4 w4 w4 w4", "w5 w5 w5 w5 w5", "words at least 5", "1 cluster of 2 documents", "by language", "zh"]
    told += ["What each stage cost", "documents/s", "Quarantine", "some.jsonl@", "raw: "]
    assert [one for one in told if one not in page.text] == []
    assert target.stat().st_size < 200_000


def test_hostile_texts_of_documents_stay_text(run_words: Any) -> None:
    """Markup and terminal escapes in documents are shown, and do nothing."""
    record = run_words(mark="<script>alert(1)</script>\x1b[31m\u202e")
    html = report_of(record, again=True).read_text()
    page = Text(html)
    assert "<script>alert(1)</script>4 <script>" in page.text
    assert "script" not in page.tags
    assert not {"\x1b", "\u202e"} & set(html)


def test_hostile_evidence_stays_text(outputs: dict[str, Any], plan: dict[str, Any], hostile: str) -> None:
    """Names, places, labels, details and problems from the store cannot make tags."""
    near = Nearest(hostile, hostile, "removed", hostile, 1.0, 2.0, hostile, 3, hostile, hostile)
    languages = Languages(hostile, hostile, ((hostile, 3),), 1, 4, 5)
    apart = bad(hostile, hostile, 1)
    evidence = Evidence((near,), (languages,), (apart,), True, [hostile])
    page = Text(render(outputs, plan=plan, evidence=evidence))
    assert page.text.count('<script>alert("x")</script>') >= 14
    assert "script" not in page.tags
    assert "the first 4 of 5 documents" in page.text
    assert "and 8 more" in page.text


def test_a_failed_run_has_a_report_with_its_error(tmp_path: Path) -> None:
    """What stopped a run stands at the top, what it did before below."""
    (tmp_path / "some.jsonl").write_text('{"text": "one two three four five six", "language": "en"}\n')
    spec = tmp_path / "words.yaml"
    spec.write_text(SPEC.format(store=tmp_path / "store", signals=""))
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "out").write_text("a file where the folder should be")
    with pytest.raises(corpusmill.CorpusmillError) as stopped:
        corpusmill.run(spec, executor="inline")
    record = latest_run(tmp_path / "store", "words")
    page = Text(report_of(record, again=True).read_text())
    assert record.status == "failed"
    assert " ".join(stopped.value.what.split()) in " ".join(page.text.split())
    assert "What each step did" in page.text


def test_a_killed_run_has_a_report_from_its_journal(tmp_path: Path, plan: dict[str, Any]) -> None:
    """A run that left no outputs is told from its journal: interrupted, with the counts of finished stages."""
    folder = tmp_path / "runs" / "quick" / "20261122T034429"
    folder.mkdir(parents=True)
    (folder / "plan.json").write_text(json.dumps(plan))
    gone = next(pid for pid in range(4_000_000, 4_100_000) if not Path(f"/proc/{pid}").exists())
    counts = {"books": {"uses": "read.text", "in": 1000, "out": 990, "removed": {"empty": 10}}}
    journal = Journal()
    journal.open(folder)
    journal.write("run_started", {"host": socket.gethostname(), "pid": gone, "process_start": None})
    journal.write("stage_started", {"id": "books", "steps": ["books"], "total": 1, "cached": 0})
    journal.write("stage_finished", {"id": "books", "steps": ["books"], "rows": 990, "seconds": 2.0, "counts": counts})
    journal.close()
    page = Text(report_of(RunRecord("quick", folder.name, folder), again=True).read_text())
    assert [one for one in ("interrupted", "was killed", "books: empty", "500") if one not in page.text] == []


def test_a_store_that_cannot_be_read_leaves_a_report_that_says_so(run_words: Any) -> None:
    """Ledgers that are gone cost their section, not the report."""
    record = run_words()
    for entry in record.outputs["ledger"]:
        Path(entry["path"]).unlink()
    page = Text(report_of(record, again=True).read_text())
    assert "What could not be read" in page.text
    assert "documents near thresholds" in page.text
    assert "What each step did" in page.text


def test_many_sizes_of_clusters_are_put_together_by_doublings() -> None:
    """A list of 40 sizes becomes a few ranges whose numbers add up; a short one stays as it is."""
    sizes = {str(size): 1 for size in range(2, 42)}
    (one,) = duplicates({"counts": {"near": {"clusters": sizes}}})
    assert [(bar["label"], bar["count"]) for bar in one["bars"]] == [
        ("2 to 3 documents", "2"),
        ("4 to 7 documents", "4"),
        ("8 to 15 documents", "8"),
        ("16 to 31 documents", "16"),
        ("32 to 63 documents", "10"),
    ]
    (few,) = duplicates({"counts": {"near": {"clusters": {"3": 1, "2": 5}}}})
    assert [bar["label"] for bar in few["bars"]] == ["2 documents", "3 documents"]


def test_what_was_cut_is_told_in_report_and_summary(
    outputs: dict[str, Any], plan: dict[str, Any], events: Sequence[Event]
) -> None:
    """The segments that a deduplicator cut out of texts stand in both."""
    outputs["counts"]["near"]["cut"] = {"documents": 12, "segments": 3400, "bytes": 5_600_000}
    told = "3,400 segments (5,600,000 bytes) cut from 12 documents"
    assert told in Text(render(outputs, plan=plan, events=events)).text
    assert told in summarise(outputs, plan=plan)
    assert cut_text({"documents": 1, "segments": 1, "bytes": 9}) == "1 segment (9 bytes) cut from 1 document"


def test_an_output_that_cannot_be_written_is_an_error_with_its_place(
    finished_run: RunRecord, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """A folder that is not there is named; nothing is left behind."""
    with pytest.raises(SystemExit) as ended:
        main(["report", "quickstart", "--store", finished_run.store, "--output", str(tmp_path / "no" / "r.html")])
    assert ended.value.code == 1
    assert str(tmp_path / "no") in capsys.readouterr().err


def test_evidence_of_the_sample_is_read_without_again(finished_run: RunRecord) -> None:
    """Ledgers alone give value, threshold and the kept twin of what was removed."""
    found = gather(finished_run, again=False).nearest
    assert [(one.step, one.value, one.threshold, one.text) for one in found] == [
        ("quality", 12.0, 30.0, None),
        ("near", 0.91, 0.7, None),
    ]
    assert found[1].other == "aaaa1111" + "0" * 24


def test_the_report_of_a_large_run_stays_below_a_megabyte(outputs: dict[str, Any], plan: dict[str, Any]) -> None:
    """Whatever can grow without bound is cut: reasons, damaged files, signals, curves, documents, places, labels."""
    outputs["counts"]["quality"]["removed"] = {f"reason {place}": place + 1 for place in range(5_000)}
    outputs["damaged"] = [{"file": f"file-{place}.gz", "reason": "cut", "offset": place} for place in range(5_000)]
    signal = outputs["signals"]["quality"]["signals"]["words"]
    outputs["signals"]["quality"]["signals"] = {f"signal {place}": signal for place in range(2_000)} | {"words": signal}
    curve = [
        Event("", "metrics", {"id": "model", "step": at, "values": {"loss": 1 / (at + 1)}}) for at in range(20_000)
    ]
    text = "one long line of words " * 10_000
    near = tuple(
        Nearest("quality", f"rule {place // 4}", "kept", "i" * 32, 1.0, 2.0, text=text) for place in range(120)
    )
    apart = tuple(bad(f"reason {place}", text, 5) for place in range(5_000))
    html = render(outputs, plan=plan, events=curve, spec="a: b\n" * 9_000, evidence=Evidence(near, (), apart))
    assert len(html.encode()) < 1_000_000
    assert "reason 4999" in html
