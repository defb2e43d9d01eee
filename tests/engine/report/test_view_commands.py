"""`show`, `status` and `explain` as typed: what they print, as text and JSON, and how they fail."""

from __future__ import annotations

import json
import os
import shutil
import socket
from pathlib import Path
from typing import Any

import pytest

from corpusmill.cli import main
from corpusmill.runner.journal import Journal
from corpusmill.runner.records import RunRecord

KEPT = "aaaa1111" + "0" * 24


@pytest.fixture
def typed(finished_run: RunRecord, capsys: pytest.CaptureFixture[str]) -> Any:
    """Return a function: type a command on the store of the finished run -> (exit code, stdout, stderr)."""

    def type_command(*words: str, store: bool = True) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main([*words, *(["--store", finished_run.store] if store else [])])
        printed = capsys.readouterr()
        return int(ended.value.code or 0), printed.out, printed.err

    return type_command


def start(record: RunRecord, pid: int) -> None:
    """Make the run look unfinished: a journal that stops in the middle, no outputs."""
    (record.folder / "outputs.json").unlink()
    journal = Journal()
    journal.open(record.folder)
    journal.write("run_started", {"host": socket.gethostname(), "pid": pid, "process_start": None})
    journal.write("stage_started", {"id": "pages", "steps": ["pages", "articles"], "total": 8, "cached": 1})
    journal.write("shards_committed", {"id": "pages", "done": 3, "total": 8})
    journal.close()


def test_show_tells_rows_schema_splits_digest_and_origin(typed: Any, finished_run: RunRecord) -> None:
    """A run's output: everything about it, and its first rows, harmless to the terminal."""
    code, out, _ = typed("show", "run:quickstart/split", "--rows", "1")
    digest = finished_run.outputs["outputs"]["split"]["digest"]
    words = [
        "documents split",
        "rows    3",
        "train 3",
        digest,
        "quickstart@20261122T034429",
        "large_string",
        KEPT,
        "中文",
    ]
    assert (code, [word for word in words if word not in out]) == (0, [])
    assert "\x1b" not in out
    assert out.count("row 0") == 1
    assert "row 1" not in out


def test_show_gives_json_uncut(typed: Any) -> None:
    """`--json` gives all values as they are."""
    code, out, _ = typed("show", "run:quickstart@2026/split.train", "--rows", "2", "--json")
    shown = json.loads(out)
    assert (code, shown["rows"], len(shown["first"])) == (0, 3, 2)
    assert shown["first"][0]["text"] == f"\x1b[31m{KEPT} 中文"
    assert {"name": "offset", "type": "int64"} in shown["schema"]


def test_show_finds_a_dataset_by_the_start_of_its_digest(typed: Any, finished_run: RunRecord) -> None:
    """store:DIGEST with 8 characters or more, and the dataset's own folder, show the same rows."""
    digest = finished_run.outputs["outputs"]["quality"]["digest"]
    code, out, _ = typed("show", f"store:{digest[:8]}", "--json")
    folder = typed("show", str(Path(finished_run.store) / "datasets" / digest), "--json", store=False)
    assert (code, folder[0]) == (0, 0)
    assert json.loads(out)["first"] == json.loads(folder[1])["first"]


def test_show_of_metrics_shows_them_by_split(typed: Any) -> None:
    """An evaluation is a table: a row a split, a column a metric."""
    code, out, _ = typed("show", "run:quickstart/score")
    assert code == 0
    assert [line.split()[:3] for line in out.splitlines()[-2:]] == [
        ["validation", "85.2", "812"],
        ["test", "90.13", "830.2"],
    ]


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        ("run:quickstart/splt", "corpusmill show run:quickstart@20261122T034429/split"),
        ("run:quikstart/split", "did you mean 'quickstart'?"),
        ("run:quickstart/split.trian", "did you mean 'train'?"),
        ("store:ffffffff", "nothing in the store fits"),
        ("no/such/folder", "run:NAME[@TIME]/STEP"),
    ],
)
def test_show_of_something_misspelt_says_the_nearest(typed: Any, reference: str, said: str) -> None:
    """Each way to be wrong ends with an error that says what was meant or expected, and no traceback."""
    code, out, err = typed("show", reference)
    assert (code in (1, 2), out) == (True, "")
    assert said in err
    assert "Traceback" not in err


def test_show_reads_published_folders(typed: Any, tmp_path: Path) -> None:
    """Parquet and JSON Lines, by split where files are named so."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    parquet, lines = tmp_path / "parquet" / "data", tmp_path / "lines"
    parquet.mkdir(parents=True)
    lines.mkdir()
    pq.write_table(pa.table({"text": ["a", "b"]}), parquet / "train-00000-of-00001.parquet")
    pq.write_table(pa.table({"text": ["c"]}), parquet / "test-00000-of-00001.parquet")
    (lines / "part.jsonl").write_text('{"text": "x\\u001b[2J"}\n\n{"text": "y"}\n')
    shown = json.loads(typed("show", str(parquet.parent), "--json", store=False)[1])
    assert (shown["rows"], shown["splits"], shown["first"][0]) == (3, {"test": 1, "train": 2}, {"text": "c"})
    code, out, _ = typed("show", str(lines), store=False)
    assert (code, ["rows", "2"] in [line.split() for line in out.splitlines()], "\x1b" in out) == (0, True, False)


def test_show_of_a_broken_file_is_an_error_with_its_name(typed: Any, tmp_path: Path) -> None:
    """A folder from elsewhere may hold anything, also JSON nested 100,000 deep; that is told, not a crash."""
    (tmp_path / "bad.jsonl").write_text("[" * 100_000)
    code, _, err = typed("show", str(tmp_path / "bad.jsonl"), store=False)
    assert (code, "Traceback" in err, "bad.jsonl" in err) == (1, False, True)


def test_show_of_what_the_store_has_lost_names_the_run(typed: Any, finished_run: RunRecord) -> None:
    """Not a digest that nobody typed, nor the command that was just typed; running again is what helps."""
    shutil.rmtree(Path(finished_run.store) / "datasets")
    code, _, err = typed("show", "run:quickstart/split")
    assert code == 1
    assert "what quickstart@20261122T034429 published as split is no longer in the store" in err
    assert "next: run the pipeline again" in err


def test_status_lists_runs(typed: Any) -> None:
    """Each run on a line with its status and stages."""
    code, out, _ = typed("status")
    assert code == 0
    assert out.splitlines()[1].split()[:3] == ["quickstart", "20261122T034429", "done"]


@pytest.mark.parametrize("file", ["outputs.json", "journal.jsonl"])
def test_a_damaged_record_hides_no_other_run(typed: Any, finished_run: RunRecord, file: str) -> None:
    """A disk that was full left half a file: that run is listed as damaged, with the file, and all others as ever."""
    other = finished_run.folder.with_name("20261122T034430")
    shutil.copytree(finished_run.folder, other)
    (other / file).write_text('{"torn\n{"torn\n')
    code, out, _ = typed("status")
    assert (code, [line.split()[2] for line in out.splitlines()[1:3]]) == (0, ["done", "damaged"])
    code, out, _ = typed("status", "quickstart")
    assert code == 0
    assert str(other / file) in out.replace("\n", "")
    assert json.loads(typed("status", "--json")[1])[1]["status"] == "damaged"


def test_status_of_a_dead_run_says_how_to_resume(typed: Any, finished_run: RunRecord) -> None:
    """A run whose process is gone is interrupted, and the same command resumes it."""
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    start(finished_run, child)
    code, out, _ = typed("status", "quickstart")
    assert code == 0
    assert "interrupted; run the same command to resume" in out
    assert "stopped 3/8" in out
    assert "interrupted; run the same command to resume" in typed("status")[1]


def test_status_of_a_living_run_shows_how_far_it_is(typed: Any, finished_run: RunRecord) -> None:
    """Stages of a run that goes on: done shards of all, waiting ones too, as JSON."""
    start(finished_run, os.getpid())
    code, out, _ = typed("status", "quickstart", "--json")
    facts = json.loads(out)
    assert (code, facts["status"], facts["last_event"]["event"]) == (0, "running", "shards_committed")
    first, second = facts["stages"][:2]
    assert (first["state"], first["done"], first["total"]) == ("running", 3, 8)
    assert second["state"] == "waiting"


def test_status_of_an_empty_store_says_what_to_type(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No runs is no error."""
    with pytest.raises(SystemExit) as ended:
        main(["status", "--store", str(tmp_path)])
    assert ended.value.code == 0
    assert "corpusmill run" in capsys.readouterr().out


def test_explain_tells_a_document_s_way(typed: Any) -> None:
    """The whole command, as text and as JSON."""
    code, out, _ = typed("explain", "quickstart", KEPT[:8])
    assert (code, "kept: it stands in quality, split" in out) == (0, True)
    code, out, _ = typed("explain", "quickstart", "pages-0.warc.gz@200", "--json")
    assert json.loads(out)["decisions"][-1]["other"] == KEPT


@pytest.mark.parametrize("command", ["show", "status", "explain", "quarantine"])
def test_help_has_an_example(typed: Any, command: str) -> None:
    """`--help` shows a line that can be typed."""
    code, out, _ = typed(command, "--help", store=False)
    assert code == 0
    assert f"\n    corpusmill {command} " in out
