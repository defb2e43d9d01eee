"""The report of a hostile run: no tag, script, address or style that the template did not write; nothing loaded."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path

import pytest

VOID = {"meta", "line", "br"}
LOADING = {"script", "link", "img", "iframe", "object", "embed", "form", "base", "a", "video", "audio", "use", "image"}


class Page(HTMLParser):
    """Tags with their attributes, styles and text; fails where tags do not nest."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.text, self.styles = "", list[str]()
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attributes}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] == ["style"]:
            self.styles.append(data)
        else:
            self.text += data


@pytest.fixture(scope="module")
def html(hostile: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The report that reads documents again: all that can be in one."""
    from corpusmill.report.html import report_of
    from corpusmill.runner.records import latest_run

    target = tmp_path_factory.mktemp("report") / "report.html"
    return report_of(latest_run(hostile / "store", "hostile"), target, again=True).read_text("utf-8")


@pytest.fixture(scope="module")
def page(html: str) -> Page:
    """The same, parsed."""
    return Page(html)


def test_the_report_shows_hostile_documents(page: Page) -> None:
    """Texts of documents at the threshold, places, reasons and the plugin's words are in it: there is something to
    escape."""
    for words in ("<script>alert(1)</script>", "onerror=alert(1)", "javascript:alert(1)", "{{ 7 * 191 }}", "[red]"):
        assert words in page.text, words


def test_the_policy_forbids_everything_but_inline_styles(page: Page) -> None:
    """The first thing in the head after the encoding: default-src 'none'."""
    policies = [one["content"] for tag, one in page.tags if one.get("http-equiv") == "Content-Security-Policy"]
    assert policies == ["default-src 'none'; style-src 'unsafe-inline'"]
    assert [tag for tag, _ in page.tags[:4]] == ["html", "head", "meta", "meta"]
    assert "http-equiv" in page.tags[3][1]


def test_nothing_is_run_or_loaded(page: Page) -> None:
    """No script, no handler, no address, no form, no frame."""
    assert LOADING & {tag for tag, _ in page.tags} == set()
    names = {name for _, attributes in page.tags for name in attributes}
    assert not [name for name in names if name.startswith("on")]
    assert not {"src", "href", "srcset", "action", "formaction", "xlink:href", "background", "poster"} & names


def test_styles_are_the_template_s(page: Page) -> None:
    """One sheet, as it stands in the template, without addresses; attributes of style hold widths alone."""
    template = files("corpusmill.report").joinpath("report.html.j2").read_text("utf-8")
    assert len(page.styles) == 1
    assert page.styles[0] in template
    assert not re.search(r"url\(|@import|expression", page.styles[0])
    widths = {one["style"] for _, one in page.tags if "style" in one}
    assert [one for one in widths if not re.fullmatch(r"width:\d+(\.\d+)?%", one)] == []


def test_tags_are_those_of_a_harmless_run(page: Page) -> None:
    """Whatever documents hold, only tags that the template writes come out."""
    template = files("corpusmill.report").joinpath("report.html.j2").read_text("utf-8")
    written = set(re.findall(r"<([a-z][a-z0-9]*)", template))
    assert {tag for tag, _ in page.tags} <= written


def test_text_cannot_turn_or_steer(html: str, forbidden: set[str]) -> None:
    """Controls and direction marks are gone: a report may be looked at with `cat`, too."""
    assert not forbidden & set(html)


def test_templates_in_documents_are_not_run(page: Page) -> None:
    """Braces of a template language are text."""
    assert "1337" not in page.text
    assert "{% raw %}" in page.text


def test_every_value_is_escaped_by_the_environment() -> None:
    """The template marks nothing as safe but a blank of its own making."""
    template = files("corpusmill.report").joinpath("report.html.j2").read_text("utf-8")
    assert set(re.findall(r"\(?'[^']*'\|safe\)?|[^\s]+\|safe", template)) <= {"('&#32;'|safe)", "('&#32;'|safe"}
    assert "autoescape" not in template


def test_the_published_card_is_data(hostile: Path) -> None:
    """Beside exported files nothing lies that a browser would run, and hostile names are not among the file names."""
    names = [str(path.relative_to(hostile / "out")) for path in (hostile / "out").rglob("*") if path.is_file()]
    assert all(re.fullmatch(r"[A-Za-z0-9_./-]+", name) for name in names), names
    assert not [name for name in names if name.endswith((".html", ".svg", ".js"))]
