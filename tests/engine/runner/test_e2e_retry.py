"""`run --retry`: what steps failed on is tried again, nothing else is, and the end is that of an empty store."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from corpusmill.dataset import commits
from corpusmill.errors import Interrupted
from corpusmill.plan.check import check
from corpusmill.runner import driver
from corpusmill.runner.driver import RunOptions, run_spec

PLUGIN = '''
"""A filter that looks at what lies beside it, which its fingerprint does not cover."""
import os
import time
from pathlib import Path

from corpusmill import Filter, at_most, hookimpl, option


class Judge(Filter):
    """Raise on WORD and die on DEATH while there is no dictionary; take two seconds for SLOW; note each call."""

    class Options(Filter.Options):
        folder: str = option("", help="where the dictionary lies", affects_result=False)

    def measure(self, batch):
        folder = Path(self.options.folder)
        with open(folder / "calls.log", "a") as log:
            log.write("call\\n")
        return super().measure(batch)

    def measure_text(self, text):
        if "WORD" in text and not (Path(self.options.folder) / "dictionary").exists():
            raise KeyError("WORD")
        if "DEATH" in text and not (Path(self.options.folder) / "dictionary").exists():
            os._exit(7)
        ended = time.monotonic() + (2 if "SLOW" in text else 0)
        while time.monotonic() < ended:
            pass
        return {"length": float(len(text))}

    def rules(self):
        return [at_most("length", 1000)]


@hookimpl
def corpusmill_register(registry):
    registry.filter("judge", ":Judge", "Judge.")
'''


class Bench:
    """Four files, each a shard; the second has a document that the filter fails on."""

    def __init__(self, root: Path):
        self.root = root
        self.plugin = root / "judge.py"
        self.plugin.write_text(PLUGIN)

    def documents(self, word: str) -> None:
        """Write the files; `word` stands in one document, and one line is no JSON."""
        (self.root / "data").mkdir()
        for file in range(4):
            lines = [json.dumps({"text": f"document {row} of file {file} goes on and on"}) for row in range(30)]
            if file == 1:
                lines[7] = json.dumps({"text": f"document 7 of file 1 says {word}"})
            if file == 3:
                lines[9] = '{"text": "never ends'
            (self.root / f"data/{file}.jsonl").write_text("\n".join(lines) + "\n")

    def spec(self, **limits: Any) -> Path:
        """Write the spec: read, judge, then a second pass behind a dedup."""
        judge = {"id": "judge", "uses": "filter.judge", "with": {"folder": str(self.root)}}
        reader = {"id": "read", "uses": "read.jsonl", "with": {"paths": "data/*.jsonl", "shard": 1000}}
        steps = [reader, judge, {"id": "once", "uses": "dedup.exact"}, {"id": "tidy", "uses": "clean.unicode"}]
        content = {"corpusmill": 1, "name": "bench", "plugins": ["./judge.py"], "steps": steps}
        path = self.root / "bench.yaml"
        path.write_text(json.dumps({**content, "limits": {"max_bad_fraction": 1.0, **limits}}))
        return path

    def run(self, store: str = "store", *, retry: bool = False, **limits: Any) -> dict[str, Any]:
        """Run in this process' inline executor and hold the run to its accounts."""
        options = RunOptions(store=str(self.root / store), executor="inline", retry=retry)
        outputs = run_spec(check(self.spec(**limits)), options).outputs
        for one in outputs["counts"].values():
            gone = sum(one["removed"].values()) + sum(one["quarantined"].values())
            assert one["in"] + one["added"] == one["out"] + gone
        return outputs

    def calls(self) -> int:
        """Return how often the filter was called since this was asked last."""
        log = self.root / "calls.log"
        found = len(log.read_text().splitlines()) if log.exists() else 0
        log.unlink(missing_ok=True)
        return found


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """A bench in an empty folder."""
    return Bench(tmp_path)


def told(outputs: dict[str, Any]) -> dict[str, Any]:
    """Return what a run made and counted, without its times."""
    counts = {name: {**one, "seconds": 0} for name, one in outputs["counts"].items()}
    return {"outputs": {name: one["digest"] for name, one in outputs["outputs"].items()}, "counts": counts}


def test_only_the_shard_with_the_failed_document_runs_again(bench: Bench) -> None:
    """After a fix that no fingerprint sees, a plain run changes nothing; with `retry` one shard of four is redone."""
    bench.documents("WORD")
    first = bench.run()
    assert first["counts"]["judge"]["quarantined"] == {"raised KeyError": 1}
    assert first["counts"]["read"]["quarantined"] == {"invalid-json": 1}
    (bench.root / "dictionary").touch()
    shards = bench.calls() // 4  # calls a shard where nothing fails are at most this many
    assert told(bench.run()) == told(first)
    assert bench.calls() == 0
    second = bench.run(retry=True)
    assert 0 < bench.calls() <= shards
    assert second["counts"]["judge"]["quarantined"] == {}
    assert second["counts"]["judge"]["in"] == second["counts"]["judge"]["out"] == 119
    assert told(second) == told(bench.run("empty"))


def test_what_is_tried_again_in_vain_ends_as_it_was(bench: Bench) -> None:
    """Without a fix the same documents fail: the same data and counts, and what was retried stays cached after."""
    bench.documents("WORD")
    first = bench.run()
    assert told(bench.run(retry=True)) == told(first)
    bench.calls()
    assert told(bench.run()) == told(first)
    assert bench.calls() == 0


def test_a_run_without_failures_has_nothing_to_try_again(bench: Bench) -> None:
    """Records that a reader turned away are no reason: the same bytes would be turned away."""
    bench.documents("calm")
    first = bench.run()
    assert first["counts"]["read"]["quarantined"] == {"invalid-json": 1}
    bench.calls()
    assert told(bench.run(retry=True)) == told(first)
    assert bench.calls() == 0


def test_a_deadline_that_was_too_short(bench: Bench) -> None:
    """A slow document is excluded, stays out under a longer deadline, and is taken by `--retry`."""
    bench.documents("SLOW")
    first = bench.run(deadline=0.5)
    assert first["counts"]["judge"]["quarantined"] == {"passed its deadline": 1}
    assert told(bench.run(deadline=60)) == told(first)
    second = bench.run(retry=True, deadline=60)
    assert second["counts"]["judge"]["quarantined"] == {}
    assert told(second) == told(bench.run("empty", deadline=60))


def test_a_document_that_killed_its_worker(bench: Bench) -> None:
    """It stays excluded while the cause lasts and after; `--retry` takes it, once the cause is gone."""
    bench.documents("DEATH")
    first = bench.run()
    assert first["counts"]["judge"]["quarantined"] == {"exited with code 7": 1}
    (bench.root / "dictionary").touch()
    assert told(bench.run()) == told(first)
    second = bench.run(retry=True)
    assert second["counts"]["judge"]["quarantined"] == {}
    assert told(second) == told(bench.run("empty"))


def test_a_retry_that_is_stopped_is_finished_by_the_same_run_without_it(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was to be tried again is forgotten first: a stop before it is made again loses no document."""
    bench.documents("WORD")
    bench.run()
    (bench.root / "dictionary").touch()

    def stop(*arguments: Any, **options: Any) -> None:
        raise Interrupted("stopped on request")

    with monkeypatch.context() as patch:
        patch.setattr("corpusmill.runner.session.run_units", stop)
        with pytest.raises(Interrupted):
            bench.run(retry=True)
    assert told(bench.run()) == told(bench.run("empty"))


def test_records_in_packs_are_tried_again(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where commits were merged: a pack is written again without the forgotten record."""
    monkeypatch.setattr(commits, "EVERY", 2)
    monkeypatch.setattr(driver, "LEFT_OVER", 1)
    bench.documents("WORD")
    bench.run()
    assert not list((bench.root / "store/commits").glob("[0-9a-f][0-9a-f]/*.json"))
    (bench.root / "dictionary").touch()
    assert told(bench.run(retry=True)) == told(bench.run("empty"))


def test_a_process_that_knows_old_packs_commits_what_was_forgotten(new_mill: Callable[[], Any]) -> None:
    """A record that another process took out of its pack does not stand in the way of the one that replaces it."""
    from corpusmill.dataset.store import Store

    uri = new_mill().store_uri
    drivers = Store(uri)
    drivers.commit("0a", {"bad": 1})
    drivers.gather(["0a"], least=1)
    workers = Store(uri)
    assert workers.committed("0a") == {"bad": 1}
    drivers.forget("0a")
    assert workers.commit("0a", {"bad": 0}, operators="filter.judge") == {"bad": 0}
    assert Store(uri).committed("0a") == {"bad": 0}


def test_a_mended_plugin_file_typed(bench: Bench) -> None:
    """The whole way by commands: run, quarantine tells what to type, mend the file, retry, an empty quarantine."""
    bench.documents("WORD")
    spec = bench.spec()

    def typed(*words: str, store: str = "store") -> str:
        command = [sys.executable, "-c", "from corpusmill.cli import main; main()", *words]
        done = subprocess.run(
            [*command, "--store", str(bench.root / store)], cwd=bench.root, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    typed("run", spec.name, "--executor", "inline", "--quiet")
    listed = typed("quarantine", "bench", "judge")
    assert "1  judge  raised KeyError" in listed
    before = (bench.root / "data/1.jsonl").read_bytes().partition(b'{"text": "document 7 ')[0]
    assert f"  1.jsonl @ {len(before)}  " in listed
    assert "corpusmill retry bench\n" in listed
    bench.plugin.write_text(PLUGIN.replace('raise KeyError("WORD")', "text = text.lower()"))
    mended = json.loads(typed("retry", "bench", "--json"))
    assert mended["counts"]["judge"]["quarantined"] == {}
    empty = json.loads(typed("run", spec.name, "--executor", "inline", "--json", store="empty"))
    assert told(mended) == told(empty)
    assert "0 records in quarantine" in typed("quarantine", "bench", "judge")
