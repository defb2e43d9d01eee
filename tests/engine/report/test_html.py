"""The HTML report: well-formed, offline, free of scripts, complete, whatever strings a run brings."""

from __future__ import annotations

import json
from collections.abc import Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpusmill.report.chart import HEIGHT, WIDTH, draw
from corpusmill.report.findings import Curve
from corpusmill.report.html import HtmlReport, render
from corpusmill.runner.journal import Event, Journal

VOID = {"meta", "line", "br", "link", "img"}


class Page(HTMLParser):
    """Collects tags, attributes and text, and fails where tags do not nest."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.text = ""
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attributes]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] != ["style"]:
            self.text += data


def test_the_report_holds_what_a_run_made(
    outputs: dict[str, Any], plan: dict[str, Any], events: Sequence[Event]
) -> None:
    """Facts, funnel with all reasons, stages, curves, metrics, digests: each of them is there."""
    page = Page(render(outputs, plan=plan, events=events, spec="corpusmill: 1\nsteps:\n  - {id: pages}\n"))
    words = ["quickstart", "ray", "6,120", "4,003", "65.4 %", "ellipsis", "filter.gopher-quality"]
    words += ["pages 3.1 s › articles 22 s"]
    words += ["model: loss", "unigram perplexity", "90.13", "3f0c9e1d8a7b4c5d9e0f1a2b3c4d5e6f", "out/quickstart"]
    words += ["invalid gzip member", "  - {id: pages}"]
    words += ["What the filters measured", "at least 50 (few words)", "48 to 52: 5,880"]
    words += ["6,000 documents, 3 to 50, 100 without a value"]
    assert [word for word in words if word not in page.text] == []
    assert page.tags.count("polyline") == 2


def test_hostile_strings_stay_text(
    hostile_run: dict[str, Any], plan: dict[str, Any], events: Sequence[Event], hostile: str
) -> None:
    """A script in a file name, reason, metric, path, error or the spec is shown as text, escapes removed."""
    page = Page(render(hostile_run, plan=plan, events=events, spec=hostile))
    assert "script" not in page.tags
    assert page.text.count('<script>alert("x")</script>[red]gnirts') >= 12
    assert not {"\x1b", "\x07", "\u202e"} & set(page.text)


def run_of(text: str) -> dict[str, Any]:
    """A run with one text wherever text from outside can stand."""
    rule = {"signal": text, "side": "least", "threshold": 2.0, "reason": text}
    signal = {"rows": 1, "missing": 0, "least": 1.0, "largest": 1.0, "bins": [[1.0, 1.125, 1]]}
    return {
        "name": text, "status": text, "error": text, "damaged": [{"file": text, "reason": text}],
        "counts": {text: {"uses": "filter.x", "in": 2, "out": 1, "removed": {text: 1}}},
        "outputs": {text: {"kind": "metrics", "values": {text: {text: text}}, "path": text, "digest": text}},
        "signals": {text: {"rules": [rule], "signals": {text: signal}}}, "values": [{"step": text, "path": text}],
    }  # fmt: skip


@given(text=st.text(st.characters(), max_size=40))
@settings(max_examples=60, deadline=None)
def test_no_string_breaks_the_page(text: str) -> None:
    """Whatever text stands in every place, the page keeps its tags, attributes and encoding."""
    plan = {"stages": [{"id": text, "kind": text, "steps": [{"id": text}]}]}
    html = render(run_of(text), plan=plan, spec=text)
    html.encode("utf-8")
    reference, page = Page(render(run_of(""), plan=plan)), Page(html)
    assert set(page.tags) <= set(reference.tags) | {"div", "pre", "section", "h2", "details", "summary"}
    assert {name for name, _ in page.attributes if name.startswith("on")} == set()


def test_the_report_is_offline(outputs: dict[str, Any], plan: dict[str, Any], events: Sequence[Event]) -> None:
    """A policy that forbids everything but inline styles, and nothing in the page that would load anything."""
    html = render(outputs, plan=plan, events=events, spec="x: 1")
    page = Page(html)
    assert ("content", "default-src 'none'; style-src 'unsafe-inline'") in page.attributes
    assert not {"script", "link", "img", "iframe", "object", "embed", "form", "base"} & set(page.tags)
    assert not {"src", "href", "srcset", "action"} & {name for name, _ in page.attributes}
    assert "url(" not in html
    assert "@import" not in html


def test_an_empty_run_still_has_a_report() -> None:
    """A run that died before its first stage gets a page that says so."""
    page = Page(render({"name": "early", "status": "failed", "error": "no files match"}, plan={}))
    assert "no files match" in page.text


def test_the_observer_writes_the_report_whole(tmp_path: Path, outputs: dict[str, Any], plan: dict[str, Any]) -> None:
    """At the end of a run the report stands in its folder, made from plan, spec and journal, nothing beside it."""
    (tmp_path / "plan.json").write_text(json.dumps(plan))
    (tmp_path / "spec.yaml").write_text("name: quickstart\n")
    journal = Journal()
    journal.open(tmp_path)
    for step in (1, 2):
        journal.write("metrics", {"id": "model", "step": step, "values": {"loss": 3.0 / step}})
    journal.close()
    HtmlReport().corpusmill_run_finished({**outputs, "folder": str(tmp_path)})
    assert "polyline" in Page((tmp_path / "report.html").read_text()).tags
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "journal.jsonl",
        "plan.json",
        "report.html",
        "spec.yaml",
    ]


@given(
    points=st.lists(
        st.tuples(st.integers(0, 10**9), st.floats(-1e12, 1e12)),
        min_size=2,
        max_size=30,
        unique_by=lambda point: point[0],
    )
)
def test_every_curve_stays_in_its_box(points: list[tuple[int, float]]) -> None:
    """Any finite curve, flat or steep, is drawn inside the picture, with its ticks."""
    chart = draw(Curve("model", "loss", tuple(sorted((float(x), y) for x, y in points))))
    assert chart is not None
    drawn = [tuple(map(float, point.split(","))) for point in chart.path.split()]
    assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for x, y in drawn)
    assert all(0 <= tick.at <= WIDTH for tick in chart.across)
    assert all(0 <= tick.at <= HEIGHT for tick in chart.up)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_diverged_loss_is_left_out_of_the_curve(bad: float) -> None:
    """Points that are no numbers are not drawn; a curve of nothing else is no curve."""
    assert draw(Curve("model", "loss", ((0.0, bad), (1.0, 2.0)))) is None
    chart = draw(Curve("model", "loss", ((0.0, 3.0), (1.0, bad), (2.0, 2.0))))
    assert chart is not None
    assert len(chart.path.split()) == 2
