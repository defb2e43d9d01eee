"""A stranger's distribution, installed as pip installs it: found, held to its contracts, run everywhere, explained."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from corpusmill.testing import shared_samples

SOURCE = Path(__file__).parents[1] / "example_plugin"
MODULES = sorted((SOURCE / "acme_mill").glob("[a-z]*.py"))
NAMES = {
    "clean.half-width",
    "filter.stutter",
    "annotate.verdict",
    "dedup.fingerprint",
    "train.bigrams",
    "train.replies",
    "evaluate.bigrams",
}
LAUGH = "好看" + "哈" * 60
Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Environment variables with acme-mill on the path, built and installed without an index."""
    root = tmp_path_factory.mktemp("acme-mill")
    shutil.copytree(SOURCE, root / "source", ignore=shutil.ignore_patterns("__pycache__"))
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    place = ["--disable-pip-version-check", "--target", str(root / "installed"), str(root / "source")]
    done = subprocess.run([*pip, *place], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    path = os.pathsep.join([str(root / "installed"), os.environ["PYTHONPATH"]])
    return {**os.environ, "PYTHONPATH": path, "NO_COLOR": "1", "COLUMNS": "200"}


@pytest.fixture
def mill(installed: dict[str, str], tmp_path: Path) -> Command:
    """The command line in an empty folder, with the distribution installed."""

    def call(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", "from corpusmill.cli import main; main()", *arguments]
        return subprocess.run(
            command, cwd=tmp_path, env={**installed, **environment}, capture_output=True, text=True, timeout=500
        )

    return call


def write_spec(folder: Path, steps: list[dict[str, Any]], plugins: list[str] | None = None) -> None:
    """The spec `mill.yaml` (JSON is YAML) and its documents, some of them nearly the same."""
    things = ["磨坊", "河流", "２０２６年的书", "面包", "a letter from the miller", "两个朋友", "the old judge", "天气"]
    verbs = ["很喜欢", "在城里散步", "每天早上都读一遍"]
    rows: list[dict[str, Any]] = [
        {"text": f"{thing}：{verb}，第{number}次。", "reply": f"好的，{thing}。" if number % 3 else None}
        for number, thing in enumerate(things)
        for verb in verbs
    ]
    long = "我的朋友喜欢喝茶，也喜欢在城里散步。他说，今天的天气很好，我们一起去公园吧。" * 6
    rows += [{"text": LAUGH, "reply": "?"}, {"text": None, "reply": None}, {"text": long}, {"text": f"{long} "}]
    (folder / "data").mkdir()
    for part in (0, 1):
        lines = [json.dumps(row, ensure_ascii=False) for row in rows[part::2]]
        (folder / "data" / f"{part}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    spec = {"corpusmill": 1, "name": "mill", "seed": 5, **({"plugins": plugins} if plugins else {}), "steps": steps}
    (folder / "mill.yaml").write_text(json.dumps(spec, ensure_ascii=False), encoding="utf-8")


def chain() -> list[dict[str, Any]]:
    """The operators that need no model, in a row."""
    return [
        {"id": "raw", "uses": "read.jsonl", "with": {"paths": "data/*.jsonl", "columns": {"reply": "reply"}}},
        {"id": "narrow", "uses": "clean.half-width"},
        {"id": "calm", "uses": "filter.stutter", "with": {"max_share": 0.4}},
        {"id": "unique", "uses": "dedup.fingerprint"},
        {"id": "split", "uses": "split.by-hash", "with": {"train": 0.7, "test": 0.3}},
        {"id": "pairs", "uses": "train.bigrams"},
        {"id": "bits", "uses": "evaluate.bigrams", "needs": {"model": "pairs", "documents": "split"}},
    ]


def modelled() -> list[dict[str, Any]]:
    """The operators that take a model, on the step `split`."""
    training = {"epochs": 2, "batch_size": 8, "learning_rate": 1e-2, "max_length": 64}
    return [
        {"id": "given", "uses": "load.model", "with": {"path": str(shared_samples().model.path)}},
        {"id": "named", "uses": "annotate.verdict", "needs": {"documents": "split", "model": "given"}},
        {"id": "tuned", "uses": "train.replies", "needs": {"documents": "named", "model": "given"}, "with": training},
    ]


def outputs(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return json.loads(done.stdout)  # type: ignore[no-any-return]


def digests(run: dict[str, Any]) -> dict[str, str]:
    return {name: one["digest"] for name, one in run["outputs"].items()}


def tree(store: Path) -> dict[str, bytes]:
    """What a store holds, beside the records of runs."""
    files = [path for path in store.rglob("*") if path.is_file() and path.relative_to(store).parts[0] != "runs"]
    return {path.relative_to(store).as_posix(): path.read_bytes() for path in sorted(files)}


def test_a_filter_is_fifteen_lines_and_two_of_toml() -> None:
    """Blank lines left out; a header and a name make it installable."""
    lines = (SOURCE / "acme_mill" / "stutter.py").read_text(encoding="utf-8").splitlines()
    assert len([line for line in lines if line.strip()]) <= 15
    toml = (SOURCE / "pyproject.toml").read_text(encoding="utf-8")
    needed = '[project.entry-points.corpusmill]\nstutter = "acme_mill.stutter"\n'
    assert needed in toml
    assert len(needed.splitlines()) == 2


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.stem)
def test_it_imports_public_names_alone(module: Path) -> None:
    """From `corpusmill` and `corpusmill_plugins.trainers` what their `__all__` lists, and nothing below them."""
    import corpusmill
    from corpusmill_plugins import trainers

    public = {"corpusmill": set(corpusmill.__all__), "corpusmill_plugins.trainers": set(trainers.__all__)}
    tree = ast.parse(module.read_text(encoding="utf-8"))
    plain = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    assert not {name for name in plain if name.startswith("corpusmill")}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("corpusmill"):
            assert {alias.name for alias in node.names} <= public[node.module or ""], f"{module.name}:{node.lineno}"


def test_all_its_operators_are_found(mill: Command) -> None:
    """By its entry points, each with its owner."""
    listed = mill("plugins")
    assert listed.returncode == 0
    assert listed.stderr == ""
    owned = [line.split()[0] for line in listed.stdout.splitlines() if line.endswith("(acme-mill 1.0)")]
    assert len(owned) == len(NAMES)
    assert set(owned) == NAMES


@pytest.mark.parametrize("uses", sorted(NAMES))
def test_the_kit_finds_nothing_wrong(mill: Command, uses: str) -> None:
    """`corpusmill plugins check NAME`, as its author would run it."""
    if uses in ("annotate.verdict", "train.replies"):
        pytest.importorskip("torch")
        pytest.importorskip("transformers")
    done = mill("plugins", "check", uses)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.fullmatch(rf"{re.escape(uses)}: [23]\d claims hold, 0 failed, [01] skipped\n", done.stdout)


def test_a_run_says_what_the_strangers_rules_did(mill: Command, tmp_path: Path) -> None:
    """Counts by rule, and for one document the rule, its value and its threshold."""
    write_spec(tmp_path, chain())
    run = outputs(mill("run", "mill.yaml", "--executor", "inline", "--json"))
    assert run["counts"]["narrow"]["removed"] == {"dropped": 1}
    assert run["counts"]["narrow"]["changed"] == 3
    assert run["counts"]["calm"]["removed"] == {"stutter": 1}
    assert run["counts"]["unique"]["removed"] == {"nearly-the-same": 1}
    assert 0 < run["outputs"]["bits"]["values"]["bits_per_byte"]["test"] < 8
    line = next(
        (file.name, data[: data.index(json.dumps(LAUGH, ensure_ascii=False).encode())].rfind(b"\n") + 1)
        for file in (tmp_path / "data").iterdir()
        if LAUGH.encode() in (data := file.read_bytes())
    )
    told = mill("explain", "mill", "@".join(map(str, line)), "--json")
    assert told.returncode == 0, told.stderr
    last = json.loads(told.stdout)["decisions"][-1]
    assert (last["step"], last["uses"], last["rule"], last["threshold"]) == ("calm", "filter.stutter", "stutter", 0.4)
    assert last["value"] == pytest.approx(58 / 62)


@pytest.mark.xdist_group("ray")
def test_ray_gives_the_same_bytes(mill: Command, tmp_path: Path, repository: Path) -> None:
    """Names and bytes of all that the store holds, with the README's plugin as it is typed into an empty folder."""
    for name in ("ray", "torch", "transformers"):
        pytest.importorskip(name)
    blocks = re.findall(
        r"^```python[^\n]*\n(.*?)^```$", (repository / "README.md").read_text(encoding="utf-8"), re.M | re.S
    )
    (typed,) = [code for code in blocks if "class NoEmoji" in code]
    (tmp_path / "no_emoji.py").write_text(typed, encoding="utf-8")
    steps = [*chain()[:3], {"id": "words", "uses": "filter.no-emoji"}, *chain()[3:], *modelled()]
    write_spec(tmp_path, steps, ["./no_emoji.py"])
    with (tmp_path / "data" / "0.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"text": "\U0001f600\U0001f389\U0001f680 ok"}\n')
    for executor in ("inline", "ray"):
        more = ("--workers", "2") if executor == "ray" else ()
        run = outputs(mill("run", "mill.yaml", "--executor", executor, "--store", executor, "--json", *more))
        assert run["executor"] == executor
        assert run["counts"]["words"]["removed"] == {"emoji_share": 1}
    stores = [tree(tmp_path / executor) for executor in ("inline", "ray")]
    assert len(stores[0]) > 10
    assert stores[0] == stores[1]


def test_its_files_work_alone(mill: Command, tmp_path: Path) -> None:
    """Copied beside a spec instead of installed, they make the same documents, model and metrics."""
    write_spec(tmp_path, chain())
    run = digests(outputs(mill("run", "mill.yaml", "--executor", "inline", "--json")))
    files = ["stutter", "half_width", "fingerprint", "bigrams"]
    (tmp_path / "alone").mkdir()
    write_spec(tmp_path / "alone", chain(), [f"./{name}.py" for name in files])
    for name in files:
        shutil.copyfile(SOURCE / "acme_mill" / f"{name}.py", tmp_path / "alone" / f"{name}.py")
    options = ("--executor", "inline", "--store", "other", "--json")
    alone = mill("run", "alone/mill.yaml", *options, PYTHONPATH=os.environ["PYTHONPATH"])
    assert digests(outputs(alone)) == run


def test_models_go_in_and_come_out(mill: Command, tmp_path: Path) -> None:
    """A loaded model names each document's class; another learns to reply, by a task and the built-in loop."""
    pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    split = {"id": "split", "uses": "split.by-hash", "with": {"train": 0.7, "validation": 0.3}}
    write_spec(tmp_path, [chain()[0], split, *modelled()])
    run = outputs(mill("run", "mill.yaml", "--executor", "inline", "--json"))["outputs"]
    assert run["tuned"]["summary"]["validation_loss"] < 5.5  # ln 300 = 5.7 is what knowing nothing costs
    folder = tmp_path / "store" / run["tuned"]["path"]
    assert transformers.AutoModelForCausalLM.from_pretrained(folder, local_files_only=True).config.vocab_size == 300


@pytest.mark.parametrize(
    ("step", "said"),
    [
        ({"uses": "filter.stuter"}, ["unknown operator 'filter.stuter'", "filter.stutter"]),
        (
            {"uses": "filter.stutter", "with": {"max_share": 2}},
            ["step 'repeats'", "option max_share is 2", "≤ 1 (share)"],
        ),
        (
            {"uses": "filter.stutter", "with": {"max_shar": 0.2}},
            ["step 'repeats'", "unknown option 'max_shar'", "nearest: max_share"],
        ),
        ({"uses": "filter.stutter", "column": "title"}, ["step 'repeats'", "title"]),
    ],
)
def test_errors_speak_of_its_operators_like_of_ours(
    mill: Command, tmp_path: Path, step: dict[str, Any], said: list[str]
) -> None:
    """Where they are misused: the step, the operator or option, and the nearest name."""
    write_spec(tmp_path, [chain()[0], {"id": "repeats", **step}])
    done = mill("check", "mill.yaml")
    assert done.returncode == 2
    assert [words for words in said if words not in done.stdout + done.stderr] == []
