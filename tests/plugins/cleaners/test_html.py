"""clean.html: main content out, boilerplate away, empty pages dropped with a reason, broken markup survived."""

from __future__ import annotations

import pyarrow as pa
import pytest

from corpusmill_plugins.cleaners.html import Html

ARTICLE = (
    "The quick brown fox jumps over the lazy dog, and then it goes home to sleep until the next morning comes. " * 4
)
PAGE = f"""<!doctype html><html><head><title>T</title><style>p {{}}</style><script>var hidden = 1;</script></head><body>
<nav class="navbar"><ul><li><a href="/">Start</a></li><li><a href="/b">Imprint</a></li></ul></nav>
<main><article><h1>A heading</h1><p>First. {ARTICLE}</p><p>Second, 中文 &amp; more. {ARTICLE}</p></article></main>
<footer class="footer"><p>All rights reserved</p></footer></body></html>"""
EXTRACTORS = ("resiliparse", "trafilatura")


def extracted(pages: list[str | None], **options: object) -> tuple[list[str], list[str | None]]:
    batch = pa.record_batch({"text": pa.array(pages, pa.large_string())})
    out, verdicts = Html(Html.Options(**options)).clean(batch)
    reasons = [None if rule < 0 else verdicts.rules[rule].name for rule in verdicts.rule.tolist()]
    return out["text"].to_pylist(), reasons


@pytest.mark.parametrize("extractor", EXTRACTORS)
def test_main_content_stays_and_boilerplate_goes(extractor: str) -> None:
    """Paragraphs come out as lines of their own; menu, footer, script and style do not come out."""
    (text,), reasons = extracted([PAGE], extractor=extractor)
    assert reasons == [None]
    lines = [line for line in text.split("\n") if line]
    assert any(line.startswith("First.") for line in lines) and any(
        line.startswith("Second, 中文 & more.") for line in lines
    )
    assert not any(word in text for word in ("Imprint", "rights reserved", "hidden"))


@pytest.mark.parametrize("extractor", EXTRACTORS)
def test_pages_without_text_are_dropped_with_a_reason(extractor: str) -> None:
    """A null, an empty page and a page of scripts are removed for `no-text`, and rows stay in place."""
    texts, reasons = extracted([None, "", PAGE, "<html><body><script>x()</script></body></html>"], extractor=extractor)
    assert reasons == ["no-text", "no-text", None, "no-text"]
    assert len(texts) == 4 and texts[2]


@pytest.mark.parametrize("extractor", EXTRACTORS)
@pytest.mark.parametrize(
    "page",
    [
        "<" * 2000,
        "<p>a" * 3000,
        "</div>" * 500 + "<p>x",
        "<html><body><table><tr><td><p>\x00 nul \ufffd</body>",
        "<!--" + "-" * 100,
        "<a href='" + "x" * 10_000,
        "&#xD800; &#1114112; &bogus; &#0;",
        "plain words, no markup at all",
        "<?xml version='1.0' encoding='gb2312'?><html><body><p>declared otherwise 中文</p></body></html>",
    ],
)
def test_broken_markup_is_no_error(extractor: str, page: str) -> None:
    """Hostile and broken markup gives some text or none, never an exception, and always valid UTF-8."""
    texts, _ = extracted([page], extractor=extractor)
    texts[0].encode()


def test_deep_nesting_is_no_error() -> None:
    """Twenty thousand open elements do not exhaust the stack."""
    texts, _ = extracted(["<div>" * 20_000 + "deep" + "</div>" * 20_000], main_content=False)
    assert isinstance(texts[0], str)


def test_without_main_content_all_visible_text_comes() -> None:
    """`main_content: false` keeps menus."""
    (text,), _ = extracted([PAGE], main_content=False)
    assert "Imprint" in text and "hidden" not in text


def test_the_result_does_not_depend_on_the_batch() -> None:
    """A page gives the same text alone, among others and in a slice."""
    pages = [PAGE, None, "<p>short", PAGE.replace("First", "Third")]
    together, _ = extracted(pages)
    assert together == [extracted([page])[0][0] for page in pages]
    batch = pa.record_batch({"text": pa.array(["<p>x", *pages], pa.large_string())}).slice(1)
    assert Html(Html.Options()).clean(batch)[0]["text"].to_pylist() == together
