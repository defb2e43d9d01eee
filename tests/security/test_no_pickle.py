"""No pickle anywhere: none in the sources, none in what is stored, and one that is handed in is refused unopened."""

from __future__ import annotations

import ast
import json
import os
import pickle  # noqa: TID251 - bombs, to see that nobody opens them
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from corpusmill.errors import InputError
from corpusmill_plugins.kernels import codepoints
from corpusmill_plugins.loaders.model import PICKLES, count_parameters, find_weights

PICKLERS = {"pickle", "_pickle", "cPickle", "cloudpickle", "dill", "joblib", "shelve", "marshal", "jsonpickle"}
OPENERS = {"torch.load", "np.load", "numpy.load", "pd.read_pickle", "pandas.read_pickle", "joblib.load"}
WORDS = r"\bload\(|read_pickle|from_pretrained|allow_pickle|trust_remote|torch\.save"
OWN_BYTES = {"engine/corpusmill/testing/declared.py"}
"""Where an operator is pickled and unpickled by the contract kit to see whether it travels: its own bytes."""


class Bomb:
    """An object whose unpickling makes a folder."""

    def __init__(self, mark: Path) -> None:
        self.mark = str(mark)

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (self.mark,)


@dataclass(frozen=True)
class Call:
    """A call in a source: where, what is called, and its arguments by name as they are written."""

    place: str
    called: str
    words: dict[str | None, str]


def trees(repository: Path, words: str) -> Iterator[tuple[str, ast.AST]]:
    """Yield the nodes of those sources in which one of some words stands: to parse the others is half a minute."""
    for root in ("engine", "plugins", "scripts"):
        for path in sorted((repository / root).rglob("*.py")):
            text = path.read_text(encoding="utf-8")
            if re.search(words, text):
                yield from ((str(path.relative_to(repository)), node) for node in ast.walk(ast.parse(text)))


@pytest.fixture(scope="module")
def calls(repository: Path) -> list[Call]:
    """Every call of something that opens or saves models and arrays."""
    return [
        Call(
            f"{name}:{node.lineno}",
            ast.unparse(node.func),
            {word.arg: ast.unparse(word.value) for word in node.keywords},
        )
        for name, node in trees(repository, WORDS)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute | ast.Name)
    ]


def test_no_source_imports_a_pickler(repository: Path) -> None:
    """Neither at the top nor inside a function."""
    found = set()
    for name, node in trees(repository, "|".join(PICKLERS)):
        modules = [one.name for one in node.names] if isinstance(node, ast.Import) else []
        modules += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        if PICKLERS & {module.partition(".")[0] for module in modules}:
            found.add(name)
    assert found == OWN_BYTES


def test_what_opens_files_opens_no_objects(calls: list[Call]) -> None:
    """`torch.load` says `weights_only=True`, `np.load` says `allow_pickle=False`; nothing says the opposite."""
    safe = {("weights_only", "True"), ("allow_pickle", "False")}
    assert [one.place for one in calls if one.called in OPENERS and not safe & set(one.words.items())] == []
    assert [one.place for one in calls if one.words.get("allow_pickle") == "True"] == []
    assert any(one.called == "np.load" for one in calls)


def test_models_are_taken_from_this_machine_without_code(calls: list[Call]) -> None:
    """Nothing is fetched by name, and no model brings code of its own."""
    loads = [one for one in calls if one.called.endswith("from_pretrained")]
    assert len(loads) >= 5
    assert [one.place for one in loads if one.words.get("local_files_only") != "True"] == []
    assert [one.place for one in calls if "trust_remote_code" in one.words] == []


def test_models_are_read_and_written_as_safetensors(calls: list[Call]) -> None:
    """Every model that is loaded is asked for safetensors; `torch.save` is called nowhere."""
    models = [one for one in calls if one.called.endswith("from_pretrained") and "dtype" in one.words]
    assert len(models) >= 3
    assert {one.words.get("use_safetensors") for one in models} == {"True"}
    assert [one.place for one in calls if one.called == "torch.save"] == []


def test_the_linter_holds_it(repository: Path) -> None:
    """Rules for pickle, marshal, shelve, eval, exec and shells answer in an engine file and in a plugin file."""
    code = "import pickle\nimport marshal\nimport shelve\npickle.loads(b'')\nmarshal.loads(b'')\neval('1')\nexec('1')\n"
    code += "import subprocess\nsubprocess.run('ls', shell=True)\nimport yaml\nyaml.load('', yaml.Loader)\n"
    command = [sys.executable, "-m", "ruff", "check", "--no-cache", "--output-format", "concise", "--stdin-filename"]
    for place in ("engine/corpusmill/plan/sample.py", "plugins/corpusmill_plugins/filters/sample.py"):
        said = subprocess.run([*command, place, "-"], cwd=repository, input=code, capture_output=True, text=True).stdout
        assert {"S301", "S302", "S307", "S102", "S602", "S506", "TID251"} <= set(re.findall(r"\b[A-Z]+\d+\b", said))


@pytest.mark.parametrize("name", [pattern.replace("*", "model") for pattern in PICKLES])
def test_a_model_that_is_a_pickle_is_refused_unopened(name: str, tmp_path: Path) -> None:
    """A malicious .pt (.bin, .ckpt, …) is told by its name, and never runs."""
    mark = tmp_path / "owned"
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"model_type": "bert"}))
    (folder / name).write_bytes(pickle.dumps(Bomb(mark)))
    with pytest.raises(InputError, match=f"weights are pickles, which can run any code: {name}"):
        find_weights(folder)
    assert not mark.exists()


def test_a_torch_archive_is_refused_unopened(tmp_path: Path) -> None:
    """What `torch.save` leaves today is a zip with a pickle inside: it is not looked into."""
    mark = tmp_path / "owned"
    with zipfile.ZipFile(tmp_path / "pytorch_model.bin", "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps(Bomb(mark)))
    with pytest.raises(InputError, match="weights are pickles"):
        find_weights(tmp_path)
    assert not mark.exists()


def test_objects_in_an_array_are_refused_unopened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one place that reads NumPy files takes no objects: a malicious table in place of ours does not run."""
    mark, planted = tmp_path / "owned", tmp_path / "planted.npz"
    np.savez(planted, unicode=np.array([Bomb(mark)], dtype=object))
    monkeypatch.setattr(codepoints, "FILE", planted)
    with pytest.raises(ValueError, match="allow_pickle=False"):
        codepoints.tables.__wrapped__()
    assert not mark.exists()


@pytest.mark.parametrize("name", ["weights.npy", "weights.npz", "model.onnx", "weights.h5.txt"])
def test_other_weights_are_no_weights(name: str, tmp_path: Path) -> None:
    """A .npy with objects handed to load.model is not weights at all, so nobody opens it."""
    mark = tmp_path / "owned"
    np.save(tmp_path / "array.npy", np.array([Bomb(mark)], dtype=object))
    (tmp_path / "array.npy").rename(tmp_path / name)
    with pytest.raises(InputError, match="no weights"):
        find_weights(tmp_path)
    assert not mark.exists()


def test_weights_under_a_false_name_are_not_unpickled(tmp_path: Path) -> None:
    """A pickle called model.safetensors is damaged weights."""
    mark, planted = tmp_path / "owned", tmp_path / "model.safetensors"
    planted.write_bytes(pickle.dumps(Bomb(mark)) * 3)
    with pytest.raises(InputError, match="damaged weights"):
        count_parameters(planted)
    assert not mark.exists()


def test_the_bomb_goes_off_where_a_pickle_is_opened(tmp_path: Path) -> None:
    """The trap works."""
    pickle.loads(pickle.dumps(Bomb(tmp_path / "owned")))
    assert (tmp_path / "owned").is_dir()
