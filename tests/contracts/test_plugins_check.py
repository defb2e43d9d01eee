"""`corpusmill plugins check`: what is wrong, told like a compiler, in files, names and distributions."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from corpusmill.cli import main

BROKEN = Path(__file__).parent / "broken"
GOOD = '''
import corpusmill as mill

class Loud(mill.Filter):
    """Drops documents in capital letters."""
    class Options(mill.Filter.Options):
        """One option."""
        most: float = mill.option(0.5, ge=0, le=1, help="largest share of capitals")
    def measure_text(self, text):
        return {"capitals": sum(one.isupper() for one in text) / max(1, len(text))}
    def rules(self):
        return [mill.at_most("capitals", self.options.most)]

@mill.hookimpl
def corpusmill_register(registry):
    registry.filter("NAME", Loud, "Drops capitals.")
'''


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as caught:
        main(["plugins", "check", *arguments])
    said = capsys.readouterr()
    assert "Traceback" not in said.out + said.err
    return int(caught.value.code or 0), said.out, said.err


def put(name: str, source: str) -> str:
    Path(name).write_text(source)
    return name


def test_a_good_file(capsys: pytest.CaptureFixture[str]) -> None:
    """Exit 0 and one line."""
    code, out, err = run(capsys, put("loud.py", GOOD.replace("NAME", "loud")))
    assert (code, err) == (0, "")
    assert re.fullmatch(r"filter\.loud: \d\d claims hold, 0 failed, 0 skipped\n", out)


def test_a_fault_is_told_like_a_compiler_tells_it(capsys: pytest.CaptureFixture[str]) -> None:
    """File, line, operator, claim; what was seen, the smallest input, what was expected, what to do."""
    # Other bytes than the original's: one process imports the same bytes once, under their first name.
    put("null_text.py", (BROKEN / "null_text.py").read_text() + "\n# A copy.\n")
    code, out, err = run(capsys, "null_text.py")
    assert code == 1
    assert out.splitlines() == [
        "null_text.py:16: filter.null-text: failed nulls",
        "  seen: a null or empty text raised TypeError: object of type 'NoneType' has no len()",
        "  smallest input: [null]",
        "  expected: a text may be null or empty",
        "  next: treat null as empty (`text or ''`), and give documents without text no key",
        "",
    ]
    assert re.fullmatch(r"filter\.null-text: \d\d claims hold, 1 failed, 0 skipped\n", err)


def test_names_and_options(capsys: pytest.CaptureFixture[str]) -> None:
    """An installed operator by its name, with options in YAML; --verbose tells what holds."""
    code, out, _ = run(capsys, "split.by-hash", "--with", "train=0.5", "--with", "validation=0.5", "-v")
    assert code == 0
    assert "split.by-hash: passed labels" in out.splitlines()
    assert "split.by-hash: skipped seed: it says that it uses the seed" in out.splitlines()


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    """For tools: every finding with its verdict."""
    code, out, _ = run(capsys, str(BROKEN / "first_row.py"), "--json")
    (report,) = json.loads(out)
    assert (code, report["ok"], report["operator"]) == (1, False, "annotate.first-row")
    (failed,) = [one for one in report["findings"] if one["verdict"] == "failed"]
    assert (failed["claim"], failed["input"]) == ("empty-batch", "[]")


def test_a_file_that_does_not_import(capsys: pytest.CaptureFixture[str]) -> None:
    """The exception and its line in the file."""
    code, out, _ = run(capsys, put("bad.py", "import corpusmill\n\nraise RuntimeError('the lexicon is asleep')\n"))
    assert code == 1
    assert out.splitlines()[:2] == [
        "bad.py:3: bad.py: failed loads",
        "  seen: its import raised RuntimeError: the lexicon is asleep",
    ]


def test_a_file_with_a_syntax_error(capsys: pytest.CaptureFixture[str]) -> None:
    """The line."""
    code, out, _ = run(capsys, put("bad.py", "x = 1\ndef f(:\n"))
    assert code == 1
    assert out.startswith("bad.py:2: bad.py: failed loads\n  seen: its import raised SyntaxError")


def test_a_misspelt_hook(capsys: pytest.CaptureFixture[str]) -> None:
    """The hook, and the nearest that exists."""
    source = GOOD.replace("corpusmill_register", "corpusmill_regster")
    code, out, _ = run(capsys, put("bad.py", source))
    assert code == 1
    assert "it has an unknown hook 'corpusmill_regster', the nearest is 'corpusmill_register'" in out


def test_a_taken_name(capsys: pytest.CaptureFixture[str]) -> None:
    """Both owners are named."""
    code, out, _ = run(capsys, put("mine.py", GOOD.replace("NAME", "length")))
    assert code == 1
    assert "'filter.length' is registered twice: by corpusmill " in out
    assert "and by mine.py" in out


def test_a_class_of_another_kind(capsys: pytest.CaptureFixture[str]) -> None:
    """What the name says, and what the class is."""
    source = GOOD.replace("registry.filter", "registry.annotator").replace("NAME", "loud")
    code, out, _ = run(capsys, put("bad.py", source))
    assert code == 1
    assert "class 'Loud' is not a Annotator" in out


def test_an_unknown_name(capsys: pytest.CaptureFixture[str]) -> None:
    """Exit 2 with the names there are."""
    code, _, err = run(capsys, "filter.lenght")
    assert code == 2
    assert "unknown operator 'filter.lenght'" in err
    assert "filter.length" in err


def test_an_unknown_option(capsys: pytest.CaptureFixture[str]) -> None:
    """Exit 2 with the nearest option."""
    code, _, err = run(capsys, "filter.length", "--with", "min_word=3")
    assert code == 2
    assert "did you mean 'min_words'?" in err


def test_an_option_out_of_range(capsys: pytest.CaptureFixture[str]) -> None:
    """The option and its bound."""
    code, out, _ = run(capsys, "filter.length", "--with", "min_words=-3")
    assert code == 1
    assert "min_words: Input should be greater than or equal to 0" in out


def test_a_missing_file(capsys: pytest.CaptureFixture[str]) -> None:
    """Exit 2 and no traceback."""
    code, _, err = run(capsys, "nowhere.py")
    assert code == 2
    assert "plugin file 'nowhere.py' cannot be read" in err


def test_a_plugin_of_observers_alone(capsys: pytest.CaptureFixture[str]) -> None:
    """It has no operator; that it loads is all there is to say."""
    source = "import corpusmill as mill\n\n@mill.hookimpl\ndef corpusmill_run_finished(run):\n    pass\n"
    code, out, _ = run(capsys, put("watcher.py", source))
    assert (code, out) == (0, "watcher.py: 1 claim holds, 0 failed, 0 skipped\n")


def test_a_whole_distribution(capsys: pytest.CaptureFixture[str]) -> None:
    """All operators of one plugin of a distribution, one after the other."""
    code, out, _ = run(capsys, "corpusmill:splitters")
    assert code == 0
    assert [line.partition(":")[0] for line in out.splitlines()] == ["split.by-hash"]
