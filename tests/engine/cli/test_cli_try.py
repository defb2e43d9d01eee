"""`corpusmill try`, word for word: one text a kind of operator and of error, in tests/golden/try."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import click
import pytest

from corpusmill.cli import main
from corpusmill.cli.watching import Watcher

FOLDER = Path(__file__).parents[2] / "golden" / "try"
FILE = "house_rules.py"
ON = ("--on", "few.jsonl")
CASES = {
    "filter": (0, FILE, "--operator", "short", *ON),
    "filter-options": (
        0,
        FILE,
        "--operator",
        "filter.short",
        *ON,
        "--with",
        "most=7",
        "--with",
        "least=5",
        "--rows",
        "3",
    ),
    "filter-fails": (1, FILE, "--operator", "share", *ON),
    "cleaner": (1, FILE, "--operator", "upper", *ON),
    "annotator": (0, FILE, "--operator", "length", "--text", "one", "--text", "deux\u0000"),
    "augmenter": (0, FILE, "--operator", "twice", *ON, "--rows", "2"),
    "splitter": (0, FILE, "--operator", "halves", *ON, "--rows", "3"),
    "dedup": (0, "dedup.exact", "--text", "one", "--text", "two", "--text", "one"),
    "many-rules": (0, "filter.gopher-quality", "--text", "of the best and the words " * 20, "--text", "# a"),
    "where": (0, "filter.where", *ON, "--rows", "2", "--with", "column=number", "--with", "at_most=0"),
    "column": (0, "filter.length", "--on", "reviews.jsonl", "--column", "review", "--with", "min_words=2"),
    "error-several": (2, FILE, *ON),
    "error-operator": (2, FILE, "--operator", "shrt", *ON),
    "error-option": (2, FILE, "--operator", "short", *ON, "--with", "mst=3", "--with", "least=few"),
    "error-name": (2, "filter.lenght", *ON),
    "error-kind": (2, "tokenizer.bpe", *ON),
    "error-no-text": (2, "filter.length", "--on", "reviews.jsonl", "--with", "min_words=2"),
    "error-no-file": (1, "filter.length", "--on", "absent.jsonl", "--with", "min_words=2"),
    "error-ending": (2, "filter.length", "--on", "few.xyz", "--with", "min_words=2"),
    "error-column": (2, "filter.where", "--text", "x", "--with", "column=language", "--with", "is=en"),
    "error-model": (2, "annotate.perplexity", "--text", "x"),
}


@pytest.fixture(autouse=True)
def _here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(FOLDER)
    monkeypatch.setenv("COLUMNS", "100")


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    with pytest.raises(SystemExit) as caught:
        main(["try", *arguments])
    captured = capsys.readouterr()
    assert isinstance(caught.value.code, int)
    return caught.value.code, captured.out + captured.err


def same_as_golden(name: str, text: str) -> None:
    golden = FOLDER / f"{name}.txt"
    if os.environ.get("CORPUSMILL_UPDATE_GOLDEN"):
        golden.write_text(text, encoding="utf-8")
    assert text == golden.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", CASES)
def test_what_it_says_is_as_written_down(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 1 where the operator failed on a document, 2 for what the user can put right.

    `CORPUSMILL_UPDATE_GOLDEN=1` writes the texts anew; read the difference before committing it.
    """
    code, text = said(capsys, *CASES[name][1:])
    same_as_golden(name, text)
    assert code == CASES[name][0], text


@pytest.mark.parametrize("name", CASES)
def test_nothing_that_it_says_steers_a_terminal(name: str) -> None:
    """Escapes, bells and direction marks of documents do not come through."""
    text = (FOLDER / f"{name}.txt").read_text(encoding="utf-8")
    assert not set(text) & set("\x00\x07\x1b\u202e\x9b")
    assert str(FOLDER) not in text


def test_json_has_everything_uncut(capsys: pytest.CaptureFixture[str]) -> None:
    """Texts as they are (escaped by JSON), verdict, signals, difference, failure with place and smallest text."""
    code, text = said(capsys, FILE, "--operator", "upper", *ON, "--json")
    told = json.loads(text)
    assert code == 1
    assert told["uses"] == "clean.upper"
    assert told["counts"] == {"changed": 4, "removed": 3, "failed": 1, "kept": 1}
    by_number = {one["number"]: one for one in told["documents"]}
    assert by_number[0]["decision"]["before"] == "hello there"
    assert by_number[0]["decision"]["after"] == "HELLO THERE"
    assert by_number[4]["failure"]["smallest"] == "boom"
    assert by_number[4]["failure"]["where"].startswith("house_rules.py:")
    assert by_number[4]["failure"]["line"] == 'raise ValueError("boom found")'
    assert by_number[5]["text"].startswith("evil \x1b[31m")
    assert "\x1b" not in text


def test_colours_are_for_terminals(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a difference, what goes is red and what comes is green; NO_COLOR and pipes get plain text."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr("click.utils.should_strip_ansi", lambda stream=None, color=None: color is False)
    _, text = said(capsys, FILE, "--operator", "upper", *ON, "--rows", "1")
    assert click.style("- hello there", fg="red") in text
    assert click.style("+ HELLO THERE", fg="green") in text
    monkeypatch.setenv("NO_COLOR", "1")
    _, text = said(capsys, FILE, "--operator", "upper", *ON, "--rows", "1")
    assert "\x1b" not in text


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((FILE,), "Give either --on DATA or --text TEXT."),
        ((FILE, *ON, "--text", "x"), "Give either --on DATA or --text TEXT."),
        (("filter.length", "--text", "x", "--watch"), "--watch needs a plugin FILE."),
        ((FILE, *ON, "--with", "most"), "expected OPTION=VALUE"),
        ((FILE, *ON, "--with", "a=1", "--with", "a.b=1"), "'a' has a value already"),
        ((FILE, *ON, "--with", "most=[1"), "--with most"),
        ((FILE, *ON, "--rows", "0"), "--rows"),
        (("absent.py", *ON), "plugin file 'absent.py' cannot be read"),
    ],
)
def test_wrong_usage_is_told(arguments: tuple[str, ...], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 2."""
    code, text = said(capsys, *arguments)
    assert code == 2
    assert words in text


@pytest.mark.parametrize(
    ("source", "where", "words"),
    [
        ("import corpusmill\n\n1 / 0\n", "mine.py:3", "ZeroDivisionError: division by zero"),
        ("x = (\n", "mine.py:1", "SyntaxError"),
        ("import corpusmill\n", "mine.py", "it has no hook"),
        (
            "from corpusmill import hookimpl\n@hookimpl\ndef corpusmill_registr(registry):\n    pass\n",
            "mine.py",
            "the nearest is 'corpusmill_register'",
        ),
    ],
    ids=["raises", "syntax", "no hook", "misspelt hook"],
)
def test_plugin_files_that_do_not_load_say_where(
    source: str,
    where: str,
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Their own file and line, no traceback."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(source)
    code, text = said(capsys, "mine.py", "--text", "x")
    assert code == 2
    assert f"at: {where}\n" in text
    assert words in text
    assert "Traceback" not in text


def test_a_filter_that_breaks_its_contract_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A rule on no signal: the words of the engine, the place in the plugin."""
    monkeypatch.chdir(tmp_path)
    source = (FOLDER / FILE).read_text().replace('at_most("characters"', 'at_most("charcters"')
    (tmp_path / FILE).write_text(source)
    code, text = said(capsys, FILE, "--operator", "short", "--text", "x")
    assert code == 1
    assert "a rule asks for the signal 'charcters', which measure() did not return" in text
    assert f"at {FILE}:" in text


def test_documents_of_a_run_can_be_tried(done_store: str, capsys: pytest.CaptureFixture[str]) -> None:
    """By a reference, looked up in the store that is given."""
    code, text = said(capsys, "filter.length", "--on", "run:tiny/raw", "--store", done_store, "--with", "min_chars=3")
    assert code == 0
    assert "2 documents: 1 kept, 1 removed (too-few-characters 1)" in text


@pytest.fixture
def done_store(tmp_path: Path) -> str:
    import corpusmill

    (tmp_path / "x.jsonl").write_text('{"text": "a"}\n{"text": "abc"}\n')
    steps = [{"id": "raw", "uses": "read.jsonl", "with": {"paths": str(tmp_path / "x.jsonl")}}]
    corpusmill.run({"corpusmill": 1, "name": "tiny", "steps": steps}, store=tmp_path / "store", debug=True)
    return str(tmp_path / "store")


def test_a_watcher_sees_saves_in_place_and_by_replacement(tmp_path: Path) -> None:
    """Not before they are whole: one that is empty or gone for a moment is waited for."""
    file = tmp_path / "x.py"
    file.write_text("1")
    todo = [lambda: None, lambda: file.write_text(""), lambda: file.write_text("22"), lambda: None]
    watcher = Watcher([file], lambda: todo.pop(0)())
    assert watcher.wait() == [file]
    assert not todo
    other = tmp_path / "new"
    todo += [file.unlink, lambda: None, lambda: other.write_text("22"), lambda: other.replace(file), lambda: None]
    assert watcher.wait() == [file]
    assert not todo


def test_watching_tries_again_after_each_save(tmp_path: Path) -> None:
    """In a process of its own: a good file, one that does not import, a better one; Ctrl-C ends it well."""
    good = (FOLDER / FILE).read_text()
    (tmp_path / FILE).write_text(good)
    program = "import sys; from corpusmill.cli import main; main(sys.argv[1:])"
    arguments = ["try", FILE, "--operator", "upper", "--text", "abc", "--watch"]
    process = subprocess.Popen(
        [sys.executable, "-c", program, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=tmp_path,
    )
    guard = threading.Timer(120, process.kill)
    guard.start()
    assert process.stdout is not None

    def save(source: str) -> None:
        (tmp_path / "new").write_text(source)
        (tmp_path / "new").replace(tmp_path / FILE)

    def until_watching() -> str:
        lines = []
        for line in process.stdout or ():
            lines.append(line)
            if line.startswith("watching"):
                break
        return "".join(lines)

    try:
        assert "+ ABC" in until_watching()
        save("import nothing_of_this_name\n")
        assert "cannot be imported: ModuleNotFoundError" in until_watching()
        save(good.replace("text.upper()", "text.upper() + '!'"))
        assert "+ ABC!" in until_watching()
        process.send_signal(signal.SIGINT)
        assert process.wait() == 0
    finally:
        guard.cancel()
        process.kill()
        process.stdout.close()
        process.wait()
