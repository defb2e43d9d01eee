"""Progress: plain lines as a golden text, live bars that no document can steer, silence when asked."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pluggy
import pytest

from corpusmill.plugin import hookspecs
from corpusmill.report.live import LiveProgress
from corpusmill.report.pace import StagePace
from corpusmill.report.plain import visible
from corpusmill.report.progress import PlainProgress, Silence, progress_for

GOLDEN = """\
03:44:29  run quickstart started: 6 stages, executor ray, store store
03:44:29  [1/6] pages started (pages > articles), 10 shards, 2 done before
03:44:32  [1/6] pages 3/10 shards (30%), 500 documents/s, 4.0 MB/s, 21 s left
03:44:42  [1/6] pages 4/10 shards (40%), 500 documents/s, 4.0 MB/s, 39 s left
03:44:52  [1/6] pages 4/10 shards (40%), 500 documents/s, 4.0 MB/s, 1 min 9 s left
03:45:09  [1/6] pages done: 5,000 rows, 110 removed, 10 quarantined, 40 s
03:45:09  [6/6] model started
03:45:09  note: model: 1 GPU asked, none there; running on CPU
03:45:29  [6/6] model at work for 20 s, loss 4.21
03:45:49  [6/6] model 200/300 (67%), loss 3.8, 20 s left
03:45:59  [6/6] model done: 50 s
03:45:59  run quickstart done after 2 min 14 s
"""


class Clock:
    """A clock that stands still until it is told."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> datetime:
        return datetime(2026, 11, 22, 3, 44 + int(29 + self.seconds) // 60, int(29 + self.seconds) % 60)  # noqa: DTZ001 - wall clock

    def __call__(self) -> float:
        return self.seconds


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def committed(done: int, seconds: float, **more: Any) -> dict[str, Any]:
    rows = int(seconds * 500)
    return {"id": "pages", "done": done, "total": 10, "rows": rows, "bytes": rows * 8000, "seconds": seconds, **more}


def tell(observer: Any, clock: Clock, stages: list[dict[str, Any]], outputs: dict[str, Any]) -> None:
    def at(seconds: float, hook: Callable[..., None], *event: Any) -> None:
        clock.seconds = seconds
        hook(*event)

    pages, model = stages[0], stages[5]
    counts = {step: outputs["counts"][step] for step in ("pages", "articles")}
    observer.corpusmill_run_started({"name": "quickstart", "executor": "ray", "store": "store", "stages": stages})
    observer.corpusmill_stage_started({**pages, "total": 10, "cached": 2})
    at(0.5, observer.corpusmill_shards_committed, committed(3, 0.5))  # a tenth more, but hardly a second since
    at(3, observer.corpusmill_shards_committed, committed(3, 3))
    at(5, observer.corpusmill_shards_committed, committed(3, 5))  # nothing new
    at(13, observer.corpusmill_shards_committed, committed(4, 13))
    at(23, observer.corpusmill_shards_committed, committed(4, 23))  # ten seconds without a shard still get a line
    at(40, observer.corpusmill_shards_committed, committed(10, 40))  # complete: the stage's own line follows
    observer.corpusmill_stage_finished({**pages, "digest": "d", "rows": 5000, "seconds": 40.0, "counts": counts})
    notices = ["model: 1 GPU asked, none there; running on CPU"]
    observer.corpusmill_stage_started({**model, "total": 0, "cached": 0, "notices": notices})
    for step, loss in ((100, 4.21), (200, 3.8)):
        clock.seconds += 20
        observer.corpusmill_metrics(model, step, {"loss": loss})
        observer.corpusmill_shards_committed({"id": "model", "done": step, "total": 300})
    at(90, observer.corpusmill_stage_finished, {**model, "digest": "d", "rows": None, "seconds": 50.0, "counts": {}})
    observer.corpusmill_run_finished(outputs)


def test_plain_progress_is_as_it_should_read(stages: list[dict[str, Any]], outputs: dict[str, Any]) -> None:
    """Stage starts with its notices, ends, and in between a line each tenth (at most one a second) or ten seconds."""
    stream, clock = io.StringIO(), Clock()
    tell(PlainProgress(stream, now=clock.now, monotonic=clock), clock, stages, outputs)
    assert stream.getvalue() == GOLDEN


@pytest.mark.parametrize("observer", [PlainProgress(io.StringIO()), LiveProgress(Terminal()), Silence()])
def test_every_observer_fits_the_hooks(observer: Any) -> None:
    """All hooks named and their arguments are ones the hook specifications know."""
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    manager.register(observer)
    manager.check_pending()
    observer.close()


def test_live_progress_shows_stages_and_stays_unsteered(
    monkeypatch: pytest.MonkeyPatch, stages: list[dict[str, Any]], outputs: dict[str, Any], hostile: str
) -> None:
    """Finished stages stay as lines; markup is printed as it stands and foreign escapes are gone."""
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("TERM", "xterm")
    stream = Terminal()
    live = LiveProgress(stream)
    stage = {**stages[0], "id": hostile, "total": 10, "cached": 0}
    live.corpusmill_run_started({"name": hostile, "executor": "inline", "stages": stages})
    live.corpusmill_stage_started(stage)
    live.corpusmill_metrics(stage, 1, {hostile: 1.0})
    live.corpusmill_shards_committed({**committed(4, 5.0), "id": hostile})
    live.corpusmill_stage_finished({**stage, "digest": "d", "rows": 5000, "seconds": 40.0, "counts": {}})
    live.corpusmill_run_finished({**outputs, "status": "failed"})
    shown = stream.getvalue()
    assert '✓ <script>alert("x")</script>[red]gnirts' in shown
    assert "5,000 rows, 40 s" in shown
    assert "✗ failed after 2 min 14 s" in visible(shown)
    assert not {"\x1b[31m", "\u202e", "\x07"} & {shown[at : at + size] for size in (1, 5) for at in range(len(shown))}


def test_live_progress_gives_the_cursor_back(monkeypatch: pytest.MonkeyPatch, stages: list[dict[str, Any]]) -> None:
    """Closed in the middle of a run, as after Ctrl-C, the terminal's cursor is shown again."""
    monkeypatch.setenv("TERM", "xterm")
    stream = Terminal()
    live = LiveProgress(stream)
    live.corpusmill_run_started({"name": "quickstart", "executor": "inline", "stages": stages})
    live.corpusmill_stage_started({**stages[0], "total": 10, "cached": 0})
    live.close()
    live.close()
    assert stream.getvalue().rindex("\x1b[?25h") > stream.getvalue().rindex("\x1b[?25l")


@pytest.mark.parametrize(
    ("stream", "term", "quiet", "kind"),
    [
        (Terminal(), "xterm-256color", False, LiveProgress),
        (Terminal(), "dumb", False, PlainProgress),
        (io.StringIO(), "xterm-256color", False, PlainProgress),
        (Terminal(), "xterm-256color", True, Silence),
    ],
)
def test_the_observer_fits_the_stream(stream: io.StringIO, term: str, quiet: bool, kind: type) -> None:
    """Bars on a terminal, lines elsewhere, nothing when quiet."""
    assert type(progress_for(stream, quiet=quiet, environment={"TERM": term})) is kind


def test_plain_progress_loads_nothing_heavy() -> None:
    """A run that writes to a file or a pipe imports no rich."""
    program = (
        "import io, sys; from corpusmill.report.progress import progress_for; progress_for(io.StringIO());"
        "print([name for name in ('rich', 'pyarrow', 'numpy', 'jinja2') if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout == "[]\n"


def test_cached_shards_do_not_count_as_speed() -> None:
    """With 90 of 100 shards cached, one shard in 10 s leaves 90 s for nine, not one second."""
    pace = StagePace("pages")
    pace.started({"kind": "pass", "total": 100, "cached": 90})
    pace.committed({"done": 91, "total": 100, "rows": 1, "bytes": 1, "seconds": 10.0}, 10.0)
    assert pace.remaining == 90.0


def test_a_resumed_training_is_not_judged_by_its_past() -> None:
    """Work that resumes at step 200 of 300 is timed from there."""
    pace = StagePace("model")
    pace.started({"kind": "train", "total": 0, "cached": 0})
    pace.committed({"done": 200, "total": 300}, 1.0)
    assert pace.remaining is None
    pace.committed({"done": 210, "total": 300}, 11.0)
    assert pace.remaining == 90.0


def test_heartbeats_do_not_hide_progress(stages: list[dict[str, Any]]) -> None:
    """A training told as one unit and, apart, as steps shows its steps; the unit only says that it lives."""
    stream, clock = io.StringIO(), Clock()
    plain = PlainProgress(stream, now=clock.now, monotonic=clock)
    beat = {"id": "model", "done": 0, "total": 1, "rows": 0, "bytes": 0, "seconds": 1.0, "running": 1}
    plain.corpusmill_stage_started({**stages[5], "total": 0, "cached": 0})
    for done in (None, 10, None):
        clock.seconds += 10
        plain.corpusmill_shards_committed(beat if done is None else {"id": "model", "done": done, "total": 30})
    said = [line.partition("model ")[2] for line in stream.getvalue().splitlines()]
    assert said == ["started", "at work for 10 s", "10/30 (33%)", "10/30 (33%)"]
