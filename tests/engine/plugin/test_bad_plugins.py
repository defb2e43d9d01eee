"""What is wrong with a plugin is said by `plugins`, `check` or the first batch, in four parts; no worker dies of it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from corpusmill.cli import main

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
    registry.filter("loud", Loud, "Drops capitals.")
'''
ADDS = '''
import corpusmill as mill
import pyarrow as pa

class Count(mill.KIND):
    """Says that it makes two columns."""
    def adds(self):
        return {"words": pa.int64(), "letters": pa.int64()}
    BODY

@mill.hookimpl
def corpusmill_register(registry):
    registry.VERB("count", Count, "Counts.")
'''
ANNOTATOR = ADDS.replace("KIND", "Annotator").replace("VERB", "annotator")
CLEANER = (
    ADDS.replace("KIND", "Cleaner").replace("VERB", "cleaner").replace("BODY", "def clean(self, batch): return batch")
)
ONE_COLUMN = 'def annotate(self, batch): return {"words": pa.array([1] * batch.num_rows, pa.int64())}'
TEXT_COLUMN = 'def annotate(self, batch): return {name: pa.array(["a"] * batch.num_rows) for name in self.adds()}'
API_2 = "it is written for version 2 of the plugin interface, this corpusmill has version 1"
MISSPELT = GOOD.replace("corpusmill_register", "corpusmill_regster")
AT_LOAD = {
    "import": ("import no_such_lexicon\n" + GOOD, "its import raised ModuleNotFoundError: No module named 'no_such_l"),
    "raises": ("1 / 0\n" + GOOD, "its import raised ZeroDivisionError: division by zero"),
    "exits": ("import sys\nsys.exit(0)\n" + GOOD, "its import raised SystemExit: 0"),
    "syntax": ("def f(:\n", "its import raised SyntaxError: invalid syntax (bad.py, line 1)"),
    "hook": (MISSPELT, "it has an unknown hook 'corpusmill_regster', the nearest is 'corpusmill_register'"),
    "unmarked": (GOOD.replace("@mill.hookimpl", ""), "its corpusmill_register is not marked with @corpusmill.hookimpl"),
    "api": ("corpusmill_api = 2\n" + GOOD, f"{API_2}: pip install --upgrade corpusmill"),
    "kind": (GOOD.replace("registry.filter", "registry.sieve"), "object has no attribute 'sieve'"),
}
OPTIONS = GOOD[GOOD.index("    class Options") : GOOD.index("    def measure_text")]
UNBUILT = "    def reads(self): return self.columns\n    def rules"
AT_CHECK = {
    "class": (GOOD.replace("Options(mill.Filter.Options)", "Options"), "is not a corpusmill.Options, the pydantic"),
    "mapping": (GOOD.replace(OPTIONS, "    Options = {'most': 0.5}\n"), "{'most': 0.5} is not a corpusmill.Options"),
    "pydantic": ("import pydantic\n" + GOOD.replace("mill.Filter.Options", "pydantic.BaseModel"), "not refuse unknown"),
    "absent": (GOOD.replace(", Loud,", ", 'bad:Quiet',"), "has no class 'bad:Quiet'"),
    "target": (GOOD.replace(", Loud,", ", 'no_such_package:Loud',"), "fails to import: ModuleNotFoundError"),
    "kind": (GOOD.replace("mill.Filter)", "mill.Cleaner)"), "class 'Loud' is not a Filter"),
    "unbuilt": (GOOD.replace("    def rules", UNBUILT), "has no attribute 'columns'"),
}
Command = Callable[..., tuple[int, str]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """The command line in a folder with documents; returns exit code and all that was said."""
    monkeypatch.chdir(tmp_path)
    Path("d.jsonl").write_text("".join(f'{{"text": "some words {row}"}}\n' for row in range(20)))

    def call(*arguments: str) -> tuple[int, str]:
        with pytest.raises(SystemExit) as caught:
            main([*arguments])
        said = capsys.readouterr()
        assert "Traceback" not in said.out + said.err
        return int(caught.value.code or 0), said.out + said.err

    return call


def spec(uses: str, source: str | None = None) -> None:
    """Write `bad.py` with these bytes and a comment of its own, and `bad.yaml`, whose step `mine` uses the operator."""
    plugins = "" if source is None else "plugins: [./bad.py]\n"
    if source is not None:
        Path("bad.py").write_text(source)
    read = "  - {uses: read.jsonl, with: {paths: d.jsonl}}\n"
    Path("bad.yaml").write_text(f"corpusmill: 1\nname: bad\n{plugins}steps:\n{read}  - {{id: mine, uses: {uses}}}\n")


def nothing_ran() -> bool:
    return not list(Path().rglob("journal.jsonl"))


@pytest.mark.parametrize(("source", "cause"), AT_LOAD.values(), ids=AT_LOAD)
def test_plugins_that_cannot_be_loaded_are_listed_with_the_cause(run: Command, source: str, cause: str) -> None:
    """By `plugins`, beside all others, under the name that the user gave."""
    Path("bad.py").write_text(source)
    code, said = run("plugins", "--file", "bad.py")
    assert code == 0
    (line,) = [line for line in said.splitlines() if line.startswith("broken: ")]
    assert line.startswith("broken: bad.py: ")
    assert cause in line
    assert "filter.length" in said
    code, said = run("plugins", "check", "bad.py")
    assert code == 1
    assert cause in said


@pytest.mark.parametrize("command", ["check", "run"])
@pytest.mark.parametrize(("source", "cause"), AT_LOAD.values(), ids=AT_LOAD)
def test_a_spec_with_one_is_refused_at_its_line(run: Command, source: str, cause: str, command: str) -> None:
    """What, where, what was expected and what to type next; nothing starts."""
    spec("filter.loud", source)
    code, said = run(command, "bad.yaml")
    first = said.partition("\n\n")[0].splitlines()
    assert code == 2
    assert first[0].startswith("bad.yaml:3:11: error: plugin './bad.py' cannot be loaded: ")
    assert cause in first[0]
    assert first[-2:] == ["  expected: a plugin that can be imported", "  next: corpusmill plugins check ./bad.py"]
    assert nothing_ran()


@pytest.mark.parametrize("command", ["check", "run"])
@pytest.mark.parametrize(("source", "cause"), AT_CHECK.values(), ids=AT_CHECK)
def test_a_faulty_operator_is_told_at_its_step(run: Command, source: str, cause: str, command: str) -> None:
    """Step, operator, the file it is from, and what is wrong with it; nothing starts."""
    spec("filter.loud", source)
    code, said = run(command, "bad.yaml")
    first = said.partition("\n\n")[0].splitlines()
    assert code == 2
    assert first[0].startswith("bad.yaml:6:22 (step 'mine'): error: operator 'filter.loud' of ./bad.py")
    assert cause in first[0]
    assert [line.split(":")[0] for line in first[-2:]] == ["  expected", "  next"]
    assert nothing_ran()


def test_a_taken_name_names_both_owners(run: Command) -> None:
    """In `plugins` and in `check`, with what settles it; the contested name is no suggestion."""
    spec("filter.length", GOOD.replace('"loud"', '"length"'))
    code, said = run("plugins", "--file", "bad.py")
    assert code == 0
    assert "conflict: filter.length is registered by corpusmill 0.1.0 and by bad.py" in said
    code, said = run("check", "bad.yaml")
    assert code == 2
    assert said.splitlines()[0].endswith("'filter.length' is registered twice: by corpusmill 0.1.0 and by ./bad.py")
    assert "  expected: one owner a name\n  next: register it under another name in ./bad.py\n" in said
    assert "nearest" not in said


@pytest.mark.parametrize(
    ("uses", "source", "what", "expected"),
    [
        (
            "annotate.count",
            ANNOTATOR.replace("BODY", ONE_COLUMN),
            "Count made columns ['words']",
            "the columns that adds() declares: ['letters', 'words']",
        ),
        (
            "clean.count",
            CLEANER,
            "Count left out the columns ['letters', 'words']",
            "all columns of its input but those that drops() declares",
        ),
        ("annotate.count", ANNOTATOR.replace("BODY", TEXT_COLUMN), "column 'words'", "int64"),
    ],
    ids=["annotator", "cleaner", "type"],
)
def test_columns_that_are_declared_and_not_made(run: Command, uses: str, source: str, what: str, expected: str) -> None:
    """The first batch ends the run with step, operator and file; no document is blamed. The kit says so before."""
    spec(uses, source)
    assert run("check", "bad.yaml")[0] == 0
    code, said = run("run", "bad.yaml", "--executor", "inline", "--quiet")
    assert code == 1
    lines = said[said.index("Count ") :].splitlines() if "Count " in said else []
    assert what in lines[0]
    assert lines[1] == f"  at: step mine ({uses}), ./bad.py, shard 'd.jsonl' from 0 to 510, attempt 1"
    assert expected in lines[2]
    assert lines[3] == "  next: corpusmill plugins check ./bad.py"
    assert run("plugins", "check", "bad.py")[0] == 1


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Lay down a distribution with one module, as pip would leave it."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))

    def write(name: str, source: str) -> None:
        info = folder / f"{name}-1.2.dist-info"
        info.mkdir()
        needs = 'Requires-Dist: no-such-lexicon; extra == "words"\n'
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2\n{needs}")
        (info / "entry_points.txt").write_text(f"[corpusmill]\n{name} = {name}_plugin\n")
        (folder / f"{name}_plugin.py").write_text(source)
        monkeypatch.delitem(sys.modules, f"{name}_plugin", raising=False)

    return write


def test_a_missing_extra_is_a_command_to_type(run: Command, install: Callable[[str, str], None]) -> None:
    """Listed with it by `plugins`, refused with it by `check`."""
    install("acmea", GOOD.replace('"Drops capitals."', '"Drops capitals.", extra="words"'))
    listed = " ".join(run("plugins")[1].split())  # lines are as long as the terminal
    assert "[needs: pip install 'acmea[words]'] (acmea 1.2)" in listed
    spec("filter.loud")
    code, said = run("check", "bad.yaml")
    assert code == 2
    what = "operator 'filter.loud' is known, but its extra 'words' is not installed (missing: no-such-lexicon)"
    assert said.splitlines()[0] == f"bad.yaml:5:22 (step 'mine'): error: {what}"
    assert "  expected: what acmea 1.2 lists under the extra 'words'\n  next: pip install 'acmea[words]'\n" in said


def test_a_broken_distribution_is_named_where_its_operator_is_missed(
    run: Command, install: Callable[[str, str], None]
) -> None:
    """The spec names no plugin; its operator is unknown because the plugin could not be loaded, and that is said."""
    install("acmeb", "corpusmill_api = 2\n" + GOOD)
    assert f"broken: acmeb:acmeb (acmeb 1.2): {API_2}" in run("plugins")[1]
    spec("filter.loud")
    code, said = run("check", "bad.yaml")
    assert code == 2
    assert "unknown operator 'filter.loud'" in said
    assert f"acmeb 1.2 could not be loaded: {API_2}: pip install --upgrade corpusmill" in said


def test_two_distributions_with_one_name(run: Command, install: Callable[[str, str], None]) -> None:
    """Either can be left out, and then the other's operator is used."""
    install("acmec", GOOD)
    install("acmed", GOOD)
    spec("filter.loud")
    code, said = run("check", "bad.yaml")
    assert code == 2
    assert "'filter.loud' is registered twice: by acmec 1.2 and by acmed 1.2" in said
    assert "next: uninstall one of the two, or leave it out with --no-plugin NAME" in said
    assert run("check", "bad.yaml", "--no-plugin", "acmec")[0] == 0
