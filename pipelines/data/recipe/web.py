"""The crawl: pages of free text in invented frames, with the duplicates and the dirt of a real one."""

from __future__ import annotations

import re
from pathlib import Path

from recipe import dirt, markup, sources
from recipe.sites import HISTORY, LIBRARY, MIRROR, PEPS, RIGHTS, Site, page, paragraphs
from recipe.warc import Capture

PEP_BYTES = 2_600_000
"""About how much text of PEPs to take."""
_LEFT_OUT = ("Copyright", "Reference", "Footnotes", "Change History", "Changelog", "Acknowledg")
_LANGUAGES = (
    *("fra", "deu_1996", "spa", "por_BR", "rus", "ita", "nld_1", "nld", "swe", "pol", "tur", "vie", "ind", "jpn"),
    *("kor", "arb", "hin", "ell", "heb", "ces", "fin", "ukr", "ron", "hun", "tha", "swh"),
)


def captures(root: Path) -> list[Capture]:
    """Return the whole crawl in a fixed, mixed order."""
    originals, again = _proposals(root)
    found = [*originals, *again, *_histories(root), *_declarations(root), *_other_editions(root), *dirt.captures()]
    return sorted(found, key=lambda capture: sources.order(capture.url, capture.date))


def _capture(site: Site, path: str, title: str, content: str, date: str = "2026-01") -> Capture:
    text = page(site, title, content, "utf-8")
    return Capture(f"https://{site.host}/{path}", text.encode(), f"{date}-15T08:30:00Z", "utf-8")


def _proposals(root: Path) -> tuple[list[Capture], list[Capture]]:
    """Return PEP pages, and the same again: older captures of the address, exact and edited copies elsewhere."""
    chosen, size = [], 0
    versions = sources.peps(root)
    for name in sorted(versions, key=lambda name: sources.order("pep", name)):
        body = _body(versions[name][-1]["text"])
        if size < PEP_BYTES and 3_000 < len(body) < 40_000 and _is_prose(body):
            chosen.append(name)
            size += len(body)
    originals, again = [], []
    for number, name in enumerate(chosen):
        newest = versions[name][-1]
        originals.append(_proposal(PEPS, name, newest["text"]))
        older = versions[name][-2]["text"] if len(versions[name]) > 1 else ""
        if number % 4 == 0 and sources.jaccard(_body(older), _body(newest["text"])) > 0.85:
            again.append(_proposal(PEPS, name, older, date="2024-01"))
        if number % 10 == 1:
            again.append(_proposal(MIRROR, name, newest["text"]))
        if number % 10 == 2:
            again.append(_proposal(MIRROR, name, dirt.edited(newest["text"], name)))
    return originals, again


def _proposal(site: Site, name: str, text: str, date: str = "2026-01") -> Capture:
    fields, _ = markup.fields(text)
    meta = "".join(f"<li>{key}: {fields[key]}</li>" for key in ("Status", "Created") if key in fields)
    content = f'<ul class="post-meta">{meta}</ul>\n{markup.to_html(_body(text))}'
    return _capture(site, f"{name}/", f"PEP {int(name[4:])}: {fields.get('Title', name)}", content, date)


def _body(text: str) -> str:
    return markup.without_sections(markup.fields(text)[1], _LEFT_OUT)


def _is_prose(body: str) -> bool:
    """Most of the lines belong to paragraphs, not to code or tables."""
    lines = [line for line in body.split("\n") if line.strip()]
    return sum(not line.startswith(" ") for line in lines) > 0.7 * len(lines)


def _histories(root: Path) -> list[Capture]:
    """Chinese history in modern words, a page for every 60 sentences; how pages say their encoding varies."""
    found = []
    for name, pairs in sources.chinese_histories(root).items():
        if name.split("/")[0] not in ("史记", "三国志"):
            continue
        sentences = [modern for _, modern in pairs]
        for start in range(0, min(len(sentences), 120), 60):
            if sources.order("history", name, str(start)) < "c" and len(sentences) - start >= 20:
                found.append(_history(name, start // 60 + 1, sentences[start : start + 60]))
    return found


def _history(name: str, number: int, sentences: list[str]) -> Capture:
    groups = ["".join(sentences[start : start + 5]) for start in range(0, len(sentences), 5)]
    key = sources.order("encoding", name)
    encoding = "gb18030" if key < "8" else "utf-8"
    in_header = key[1] < "6"
    in_meta = not in_header and key[1] < "c"
    label = {"gb18030": "gbk" if key[2] < "4" else "gb2312" if key[2] < "8" else "gb18030", "utf-8": "utf-8"}[encoding]
    title = name.rsplit("/", 1)[1]
    text = page(
        HISTORY, title if number == 1 else f"{title}（{number}）", paragraphs(groups), label if in_meta else None
    )
    address = f"https://{HISTORY.host}/{sources.order('page', name)[:8]}/{number}.html"
    return Capture(address, text.encode(encoding), "2026-01-16T02:00:00Z", label if in_header else None)


def _declarations(root: Path) -> list[Capture]:
    """The Universal Declaration in English, in Chinese (two scripts) and in languages that are not wanted."""
    texts = sources.declarations(root)
    found = []
    for code in ["eng", "cmn_hans", "cmn_hant", *_LANGUAGES]:
        if code in texts:
            body = re.search(r"(?s)<body>(.*)</body>", texts[code])
            title = re.search(r"<h1>(.*?)</h1>", texts[code])
            content = re.sub(
                r"(?s)<h1>.*?</h1>|</?(?:header|footer|article|section)[^>]*>", "", body[1] if body else ""
            )
            found.append(_capture(RIGHTS, f"{code}.html", title[1] if title else code, content))
    return found


def _other_editions(root: Path) -> list[Capture]:
    """Chapters of other editions of books that lie beside the crawl as text: natural near-duplicates."""
    found = []
    for book, slug, edition in (
        ("Alice-s-Adventures-in-Wonderland_11", "alice", "old/alice30.txt"),
        ("Pride-and-Prejudice_1342", "pride", "old/pandp10.txt"),
    ):
        for chapter, texts in sorted(sources.editions(root, book).items())[:12]:
            ours = texts.get("11-0.txt") or texts.get("1342-0.txt", "")
            if edition in texts and sources.jaccard(texts[edition], ours) > 0.85:
                lines = [" ".join(one.split()) for one in texts[edition].split("\n\n") if one.strip()]
                found.append(_capture(LIBRARY, f"{slug}/{chapter + 1}.html", lines[0], paragraphs(lines[1:])))
    return found
