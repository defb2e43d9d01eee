"""reStructuredText, as PEPs use it, to plain HTML: enough of it for realistic pages, nothing more."""

from __future__ import annotations

import html
import re
import textwrap

_UNDERLINE = re.compile(r"([=\-~^'\"*#`+])\1{2,}\s*")
_BULLET = re.compile(r"(?:[-*•]|\d+[.)]|\(?[a-z]\))\s+")
_INLINE = (
    (re.compile(r"``([^`]+)``"), r"<code>\1</code>"),
    (re.compile(r":pep:`(?:[^`<]*&lt;)?(\d+)[^`]*`"), r'<a href="/pep-\1/">PEP \1</a>'),
    (re.compile(r":[a-z:+-]+:`~?!?([^`]+?)(?:\s*&lt;[^`]*&gt;)?`"), r"<code>\1</code>"),
    (re.compile(r"`([^`<&]+?)\s*&lt;([^`\s]+?)&gt;`__?"), r'<a href="\2">\1</a>'),
    (re.compile(r"`([^`]+)`__?"), r"<a>\1</a>"),
    (re.compile(r"`([^`]+)`"), r"<cite>\1</cite>"),
    (re.compile(r"\*\*([^*\n]+)\*\*"), r"<strong>\1</strong>"),
    (re.compile(r"(?<![\w*])\*([^*\n]+)\*(?![\w*])"), r"<em>\1</em>"),
    (re.compile(r"\s*\[#?[\w-]+\]_"), ""),
)


def fields(document: str) -> tuple[dict[str, str], str]:
    """Return a PEP's header fields and what follows them."""
    head, _, body = document.partition("\n\n")
    found = dict(re.findall(r"(?m)^([A-Z][\w-]+): *(.*(?:\n[ \t]+.*)*)", head))
    return {name: " ".join(value.split()) for name, value in found.items()}, body


def without_sections(body: str, titles: tuple[str, ...]) -> str:
    """Cut top-level sections whose title starts with one of `titles`."""
    lines, kept, skipping = body.split("\n"), [], False
    for number, line in enumerate(lines):
        after = lines[number + 1] if number + 1 < len(lines) else ""
        if line.strip() and not line.startswith(" ") and re.fullmatch(r"(=|-){4,}\s*", after):
            skipping = line.strip().startswith(titles)
        if not skipping:
            kept.append(line)
    return "\n".join(kept)


def to_html(body: str) -> str:
    """Return the HTML of a document body."""
    out: list[str] = []
    literal = False
    for block in re.split(r"\n\s*\n", body.expandtabs().strip("\n")):
        lines = block.strip("\n").split("\n")
        if literal and lines[0].startswith(" "):
            out.append(f"<pre>{html.escape(textwrap.dedent(block))}</pre>")
            continue
        literal = False
        if lines[0].startswith(".. "):
            literal = bool(re.match(r"\.\. (?:code|sourcecode|parsed-literal)", lines[0]))
            if literal and len(lines) > 1:
                out.append(f"<pre>{html.escape(textwrap.dedent(chr(10).join(lines[1:])))}</pre>")
        elif re.match(r"\s*(=+ +=|\+-)", lines[0]):
            out.append(f"<pre>{html.escape(block)}</pre>")
        else:
            literal = lines[-1].rstrip().endswith("::")
            out += _flow(lines)
    return "\n".join(out)


def _flow(lines: list[str]) -> list[str]:
    """Headings, lists and paragraphs of one block."""
    if len(lines) > 1 and _UNDERLINE.fullmatch(lines[1].strip()) and lines[0].strip():
        level = "h2" if lines[1].strip()[0] == "=" else "h3"
        rest = _flow(lines[2:]) if len(lines) > 2 else []
        return [f"<{level}>{inline(lines[0].strip())}</{level}>", *rest]
    if _UNDERLINE.fullmatch(lines[0].strip()):
        return _flow(lines[1:]) if len(lines) > 1 else []
    items: list[list[str]] = []
    for line in lines:
        if _BULLET.match(line.strip()) or not items:
            items.append([line.strip()])
        else:
            items[-1].append(line.strip())
    if _BULLET.match(items[0][0]):
        listed = "".join(f"<li>{inline(_BULLET.sub('', ' '.join(item), count=1))}</li>" for item in items)
        return [f"<ul>{listed}</ul>"]
    text = " ".join(" ".join(item) for item in items)
    return [f"<p>{inline(re.sub(r'::$', ':', text))}</p>"] if text.strip() else []


def inline(text: str) -> str:
    """Escape a line of text and turn its inline markup into tags."""
    escaped = html.escape(text, quote=False)
    for pattern, replacement in _INLINE:
        escaped = pattern.sub(replacement, escaped)
    return escaped
