"""Code runs only where a plugin was installed or named: no spec imports a module, no folder lends one by its name."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpusmill.errors import SpecError
from corpusmill.plan.check import check
from corpusmill.plugin.finder import load_registry
from corpusmill.plugin.resolve import module_name, resolve

COMMAND = Path(sys.executable).with_name("corpusmill")
SHADOWS = ("json", "xxhash", "orjson", "ftfy", "numpy", "pyarrow", "corpusmill", "corpusmill_plugins", "sitecustomize")
"""Modules of the standard library, of dependencies and of our own that a folder may pretend to hold."""
SPEC = """\
corpusmill: 1
name: shadowed
steps:
  - {id: raw, uses: read.jsonl, with: {paths: rows.jsonl}}
  - {id: tidy, uses: clean.unicode}
  - {id: exact, uses: dedup.exact}
"""
MODULES = st.sampled_from(["os", "os:system", "subprocess:Popen", "builtins:eval", "antigravity", "this:s", "turtle"])
KINDS = st.sampled_from(["read", "load", "clean", "filter", "annotate", "split", "dedup", "train", "write", "python"])
NAMES = st.one_of(MODULES, MODULES.map(lambda name: name.replace(":", ".")), st.text(min_size=1, max_size=20))


KNOWN = load_registry().operators


@given(kind=KINDS, name=NAMES)
@settings(max_examples=30)
def test_no_spec_imports_a_module(kind: str, name: str) -> None:
    """Whatever `uses` says, a name that is not registered is an error, and no module is imported for it."""
    before = set(sys.modules)
    if f"{kind}.{name}" in KNOWN:
        return
    with pytest.raises(SpecError):
        check({"corpusmill": 1, "name": "x", "steps": [{"uses": f"{kind}.{name}"}]}, deep=False)
    assert {
        one for one in set(sys.modules) - before if one.partition(".")[0] in {"antigravity", "this", "turtle"}
    } == set()


def test_registered_operators_live_where_they_were_registered() -> None:
    """Each built-in name leads to a class of a module of its own distribution, and nowhere else."""
    registry = load_registry()
    built_in = [one for one in registry.operators.values() if one.origin.distribution == "corpusmill"]
    assert len(built_in) > 20
    assert {module_name(one).partition(".")[0] for one in built_in} == {"corpusmill_plugins"}
    assert resolve(registry.lookup("clean.unicode")).__module__.startswith("corpusmill_plugins.")


@pytest.mark.parametrize(
    "value",
    [
        "!!python/name:os.system",
        "!!python/object/apply:os.system ['touch owned']",
        "!ENV ${HOME}",
        "!!python/tuple [1]",
    ],
)
def test_tags_make_no_objects(value: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tag in an option is an error at its place, and has no effect."""
    monkeypatch.chdir(tmp_path)
    text = f"corpusmill: 1\nname: x\nsteps:\n  - {{uses: read.jsonl, with: {{paths: {value}}}}}\n"
    Path("mill.yaml").write_text(text)
    with pytest.raises(SpecError, match="tag"):
        check("mill.yaml")
    assert not Path("owned").exists()


@pytest.mark.parametrize("text", ["${python:1+1}", "${{ 7*7 }}", "{{ 7*7 }}", "${env:HOME:-x}", "$(id)", "`id`"])
def test_nothing_but_params_and_variables_is_substituted(text: str, tmp_path: Path) -> None:
    """Other notations are an error or plain text; none is evaluated."""
    (tmp_path / "rows.jsonl").write_text('{"text": "a"}\n')
    steps = [{"uses": "read.jsonl", "with": {"paths": str(tmp_path / "rows.jsonl")}}]
    steps.append({"uses": "filter.where", "with": {"column": "text", "is": text}})
    spec = {"corpusmill": 1, "name": "x", "steps": steps}
    if text.startswith("${"):
        with pytest.raises(SpecError, match="unknown substitution"):
            check(spec)
    else:
        assert text in check(spec).steps[1].options.model_dump(mode="json").values()


@pytest.fixture
def shadowed(tmp_path: Path) -> Path:
    """A folder with a spec, data, and modules that leave a mark when they are imported."""
    (tmp_path / "mill.yaml").write_text(SPEC)
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps({"text": f"row {n} is here"}) + "\n" for n in range(3)))
    for name in SHADOWS:
        mark = f"import pathlib, os; pathlib.Path({str(tmp_path)!r}, 'imported-{name}-' + str(os.getpid())).touch()\n"
        (tmp_path / f"{name}.py").write_text(mark)
    return tmp_path


def marks(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("imported-*"))


def test_a_module_beside_the_spec_is_not_imported(shadowed: Path) -> None:
    """Started in that folder, neither the driver nor its worker takes `json.py` (or any other) from it."""
    environment = {**os.environ, "CORPUSMILL_NO_PLUGINS": ""}
    command = [COMMAND, "run", "mill.yaml", "--executor", "inline", "--quiet"]
    done = subprocess.run(command, cwd=shadowed, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert marks(shadowed) == []


def test_a_worker_of_its_own_interpreter_does_not_look_around(shadowed: Path) -> None:
    """The worker of a notebook and the process that tries suspects start with the current folder off their path."""
    script = (
        "import sys; sys.path[:] = [one for one in sys.path if one]\n"
        "import corpusmill; corpusmill.run('mill.yaml', executor='inline')\n"
    )
    done = subprocess.run([sys.executable, "-P", "-c", script], cwd=shadowed, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert marks(shadowed) == []


def test_a_mark_is_left_where_python_does_look(shadowed: Path) -> None:
    """The trap works: a bare interpreter that is started there walks into it."""
    subprocess.run([sys.executable, "-c", "import xxhash"], cwd=shadowed, capture_output=True)
    assert [name for name in marks(shadowed) if name.startswith("imported-xxhash-")]


def test_a_plugin_file_must_be_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file beside the spec is code only where the spec says so, and its name is told with what it registers."""
    monkeypatch.chdir(tmp_path)
    mark = tmp_path / "ran"
    (tmp_path / "mine.py").write_text(f"import pathlib; pathlib.Path({str(mark)!r}).touch()\n")
    (tmp_path / "rows.jsonl").write_text('{"text": "a"}\n')
    steps = [{"uses": "read.jsonl", "with": {"paths": "rows.jsonl"}}]
    check({"corpusmill": 1, "name": "x", "steps": steps})
    assert not mark.exists()
    with pytest.raises(SpecError, match=r"mine\.py"):  # it registers nothing, which is said with its name
        check({"corpusmill": 1, "name": "x", "plugins": ["./mine.py"], "steps": steps})
    assert mark.exists()


def test_the_command_is_installed() -> None:
    """The tests above start what users start."""
    assert shutil.which(str(COMMAND))
