"""A corpus that attacks whoever looks at it, run once; commands as typed; and a secret that must turn up nowhere."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from corpusmill.cli import main

ATTACKS = {
    "colour": "\x1b[31mred\x1b[0m",
    "title": "\x1b]0;owned\x07",
    "screen": "\x1b[2J\x1b[1;1H",
    "c1": "\x9b31mred\x9b0m",
    "carriage": "all is well\roverwritten\x08\x08",
    "direction": "\u202egnirts\u2066 \u200f",
    "markup": "[red]red[/red] [link=http://evil.example]here[/link]",
    "script": "<script>alert(1)</script></script><svg onload=alert(1)>",
    "image": '"><img src=x onerror=alert(1)>',
    "address": "<a href='javascript:alert(1)'>javascript:alert(1)</a>",
    "template": "{{ 7 * 191 }}{% raw %}",
    "style": "</style></pre><style>body{background:url(http://evil.example)}</style>",
}
"""What a document, an id, a source, a file or a plugin's words may hold against terminals and browsers."""
FORBIDDEN = {chr(code) for code in (*range(0x20), *range(0x7F, 0xA0)) if chr(code) not in "\n\t"} | set(
    "\u200e\u200f\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
)
"""What must not reach a terminal: controls (C0, C1), line separators and marks that turn the direction of text."""

PLUGIN = '''
"""A plugin whose words are as hostile as the documents."""

from corpusmill import Filter, at_most, hookimpl

WORDS = {words!r}


class Spiteful(Filter):
    """Remove texts with many letters, fail on some, and say it with escapes."""

    def measure_text(self, text):
        if "poison" in text:
            raise ValueError(WORDS)
        return {{WORDS: float(len(text))}}

    def rules(self):
        return [at_most(WORDS, 150.0)]


@hookimpl
def corpusmill_register(registry):
    registry.filter("spiteful", "spiteful:Spiteful", "Remove texts with many letters.")
'''
SPEC = """\
corpusmill: 1
name: hostile
plugins: [./spiteful.py]
limits: {max_bad_fraction: 1.0}
steps:
  - {id: raw, uses: read.jsonl, with: {paths: "data/*.jsonl", id: name, columns: [text, source, language, name]}}
  - {id: tidy, uses: clean.unicode}
  - {id: spite, uses: filter.spiteful}
  - {id: exact, uses: dedup.exact}
  - {id: export, uses: write.jsonl, with: {path: out}}
"""


@dataclass(frozen=True)
class Said:
    """What a command printed and how it ended."""

    code: int
    out: str
    err: str


Mill = Callable[..., Said]


def type_command(capsys: pytest.CaptureFixture[str], *words: str) -> Said:
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        main(list(words))
    out, err = capsys.readouterr()
    return Said(int(ended.value.code or 0), out, err)


@pytest.fixture
def mill(capsys: pytest.CaptureFixture[str]) -> Mill:
    """Type a command in this process."""
    return lambda *words: type_command(capsys, *words)


def hostile_rows() -> list[dict[str, str]]:
    rows = []
    for name, attack in ATTACKS.items():
        for kind, filler in (("short", ""), ("long", " and so on" * 20), ("poison", " poison")):
            text = f"{attack} {name} {kind}{filler}"
            rows.append({"text": text, "source": f"../../{attack}", "language": attack, "name": f"../{kind}/{attack}"})
    twin = {"text": rows[0]["text"], "source": "=1+1", "language": "@SUM", "name": f"twin {ATTACKS['colour']}"}
    return [*rows, twin]


@pytest.fixture(scope="session")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run over hostile documents in a file of a hostile name, with a plugin of hostile words."""
    folder = tmp_path_factory.mktemp("hostile")
    (folder / "data").mkdir()
    (folder / "mill.yaml").write_text(SPEC)
    (folder / "spiteful.py").write_text(PLUGIN.format(words=" ".join(ATTACKS.values())))
    lines = "".join(json.dumps(row) + "\n" for row in hostile_rows())
    name = "<script>\x1b[31m\u202e.jsonl"
    (folder / "data" / name).write_text(lines + "{broken \x1b[31m\n")
    here = Path.cwd()
    os.chdir(folder)
    try:
        with pytest.raises(SystemExit) as ended:
            main(["run", "mill.yaml", "--executor", "inline", "--debug", "--quiet"])
    finally:
        os.chdir(here)
    assert not ended.value.code
    return folder


@pytest.fixture(scope="session")
def forbidden() -> set[str]:
    """Characters that must not reach a terminal."""
    return FORBIDDEN


@pytest.fixture(scope="session")
def attacks() -> dict[str, str]:
    """Attacks by name."""
    return ATTACKS
