"""Nothing from a corpus or a plugin steers a terminal: no escapes, no controls, no turned text, no markup."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from corpusmill.report.plain import visible
from corpusmill.runner.bad_records import collect_bad_records
from corpusmill.runner.records import RunRecord, latest_run

pytestmark = pytest.mark.usefixtures("_inside")


@pytest.fixture
def _inside(hostile: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(hostile)


def record() -> RunRecord:
    return latest_run("store", "hostile")


def ids(step: str) -> list[str]:
    from corpusmill.dataset.manifest import Dataset
    from corpusmill.dataset.store import Store

    dataset = Dataset.open(Store("store"), record().datasets[step]["digest"])
    return [one for batch in dataset.batches(["id"]) for one in batch.column("id").to_pylist()]


COMMANDS = {
    "show": ["show", "run:hostile/exact", "--rows", "50"],
    "show a folder": ["show", "out", "--rows", "50"],
    "preview": ["preview", "mill.yaml", "spite", "--rows", "9"],
    "quarantine": ["quarantine", "hostile"],
    "status": ["status", "hostile"],
    "check": ["check", "mill.yaml"],
    "plan": ["plan", "mill.yaml"],
    "try": ["try", "spiteful.py", "--on", "run:hostile/exact", "--rows", "9"],
}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_prints_no_control(name: str, mill: Any, forbidden: set[str]) -> None:
    """What is printed about hostile documents holds no character that a terminal would obey."""
    said = mill(*COMMANDS[name])
    assert said.code in (0, 1), said.err  # 1: the operator that was tried raises
    assert said.out
    assert not forbidden & set(said.out + said.err)


def test_every_document_can_be_explained_without_a_control(mill: Any, forbidden: set[str]) -> None:
    """Kept, removed, duplicate and quarantined documents: ids, values, words of the plugin and text are harmless."""
    said = [mill("explain", "hostile", one) for one in ids("raw")[:6]]
    assert {one.code for one in said} == {0}
    text = "".join(one.out + one.err for one in said)
    assert "removed by" in text
    assert not forbidden & set(text)


def test_an_error_about_a_hostile_name_prints_no_control(mill: Any, forbidden: set[str]) -> None:
    """What was typed or named is quoted in errors, without its escapes."""
    said = [mill("explain", "hostile", "\x1b[31mabcdefgh\u202e"), mill("show", "run:hostile/\x1b]0;x\x07")]
    assert {one.code for one in said} == {2}
    assert not forbidden & set("".join(one.out + one.err for one in said))


def test_json_for_machines_escapes_what_it_quotes(mill: Any) -> None:
    """`--json` gives the values as they are, as escapes of JSON: not one raw control."""
    said = mill("show", "run:hostile/exact", "--rows", "50", "--json")
    assert "\x1b" in json.dumps(json.loads(said.out)["first"], ensure_ascii=False).encode().decode("unicode_escape")
    assert said.out.isascii()
    assert "\x1b" not in said.out


def test_the_quarantine_keeps_what_the_terminal_does_not_show() -> None:
    """The bytes themselves are not touched: stripping happens where things are shown."""
    found = collect_bad_records(record())
    assert any(b"\x1b" in one.raw for reason in found.reasons for one in reason.records)


@pytest.mark.parametrize("text", ["[red]not red[/red]", "[link=file:///etc/passwd]x[/link]"])
def test_markup_of_rich_is_only_text(text: str) -> None:
    """Square brackets are shown as they stand."""
    assert visible(text) == text
