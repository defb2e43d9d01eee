"""Trainings that are killed at chosen places, each in a process of its own, and gone on with until they end.

    python training_trials.py FOLDER

FOLDER/inputs.json says what to train on and how, and which trials there are; what each came to is printed as JSON. The
processes are forked from this one, which has imported torch and used nothing of it.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

TESTS = Path(__file__).parents[2]
for place in (TESTS / "plugins", TESTS / "example_plugin"):
    sys.path.insert(0, str(place))

import safetensors.torch  # noqa: E402
import transformers  # noqa: E402
from acme_mill.bigrams import Bigrams  # noqa: E402
from conftest import FakeDocuments, FakeTokens  # noqa: E402

from corpusmill import Context  # noqa: E402
from corpusmill.dataset.hashing import hash_file  # noqa: E402
from corpusmill.runner import folder_work  # noqa: E402
from corpusmill.runner.folder_work import EVENTS, FolderWork  # noqa: E402
from corpusmill_plugins.trainers import backbone, checkpoint  # noqa: E402
from corpusmill_plugins.trainers.causal_lm import CausalLanguageModel  # noqa: E402
from corpusmill_plugins.trainers.classify import Classify  # noqa: E402

TRAINERS: dict[str, Any] = {"causal-lm": CausalLanguageModel, "classify": Classify, "bigrams": Bigrams}
SPEEDS = "_per_second"


def die(*_: Any, **__: Any) -> Any:
    """End as the kernel ends a process."""
    os.kill(os.getpid(), signal.SIGKILL)


def at(number: int, real: Callable[..., Any], instead: Callable[..., Any]) -> Callable[..., Any]:
    """The function, but `instead` of its call of this number, counted from one."""
    calls = [0]

    def counted(*arguments: Any, **named: Any) -> Any:
        calls[0] += 1
        return (instead if calls[0] == number else real)(*arguments, **named)

    return counted


def half_a_file(tensors: Any, path: str) -> None:
    """Write a file half, and die."""
    SAVE(tensors, path)
    os.truncate(path, os.stat(path).st_size // 2)
    die()


def half_a_removal(path: Any, **_: Any) -> None:
    """Remove one file of a folder, and die, if it is an older checkpoint; else remove it all."""
    if Path(path).name.isdigit():
        next(one for one in Path(path).rglob("*") if one.is_file()).unlink()
        die()
    REMOVE(path, ignore_errors=True)


def renamed_and_dead(*arguments: Any) -> None:
    """Rename, and die."""
    RENAME(*arguments)
    die()


SAVE, REMOVE, RENAME = safetensors.torch.save_file, folder_work.shutil.rmtree, os.replace


def arm(place: str, number: int) -> None:
    """Let this process be killed, or asked to stop, when it comes to a place for the n-th time."""
    if place == "step":
        FolderWork.should_stop = at(number, FolderWork.should_stop, die)  # type: ignore[method-assign]
    elif place == "asked":
        FolderWork.should_stop = at(number, FolderWork.should_stop, lambda _: True)  # type: ignore[method-assign]
    elif place == "half a file":
        safetensors.torch.save_file = at(number, SAVE, half_a_file)
    elif place == "before progress":
        checkpoint.asdict = at(number, checkpoint.asdict, die)  # type: ignore[attr-defined]
    elif place == "before the rename":
        os.replace = at(number, RENAME, die)
    elif place == "after the rename":
        os.replace = at(number, RENAME, renamed_and_dead)
    elif place == "older ones half gone":
        folder_work.shutil.rmtree = half_a_removal  # type: ignore[assignment]
    elif place == "model half saved":
        backbone.save = die
    else:
        raise ValueError(place)


def inputs_of(given: dict[str, Any]) -> SimpleNamespace:
    """The ports of a trainer, from what the test wrote down."""
    found: dict[str, Any] = {"model": None}
    if "tokens" in given:
        tokenizer = SimpleNamespace(path=Path(given["tokens"].pop("tokenizer")), digest="k" * 32)
        found["tokens"] = FakeTokens(**given["tokens"], tokenizer=tokenizer)
    if "documents" in given:
        found["documents"] = FakeDocuments(given["documents"])
    if "model" in given:
        found["model"] = SimpleNamespace(path=Path(given["model"]), digest="m" * 32)
    return SimpleNamespace(**found)


def train(folder: Path, given: dict[str, Any]) -> str:
    """Train in this process to the end, or until asked to stop; the result is left as result.json."""
    operator_class = TRAINERS[given["trainer"]]
    operator = operator_class(operator_class.Options(**given["options"]), Context(step="model", seed=7))
    work = FolderWork(folder / "work", folder / "stop", 7, "cpu", 1)
    summary = operator.run(inputs_of(given["inputs"]), work)
    if summary.get("stopped"):
        return "stopped"
    files = {path.name: hash_file(path)[0] for path in work.output.iterdir()}
    (folder / "result.json").write_text(json.dumps({"summary": summary, "files": files}))
    return "done"


def forked(folder: Path, given: dict[str, Any], kill: list[Any] | None) -> str:
    """Train in a forked process; return `killed`, `stopped`, `done` or `failed`."""
    pid = os.fork()
    if not pid:
        code = 3
        try:
            if kill:
                arm(*kill)
            code = {"done": 0, "stopped": 2}[train(folder, given)]
        except BaseException:  # noqa: BLE001 - this process ends here, and says why
            traceback.print_exc()
        os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return {0: "done", 2: "stopped", -signal.SIGKILL: "killed"}.get(code, "failed")


def curves(folder: Path) -> dict[str, list[Any]]:
    """Step -> the different values that were told of it, over all processes of a trial; speeds left out."""
    told: dict[str, list[Any]] = {}
    for line in (folder / "work" / EVENTS).read_text().splitlines():
        event = json.loads(line)
        values = {name: one for name, one in event.get("values", {}).items() if not name.endswith(SPEEDS)}
        kind = f"{event.get('step')} {'validation' if any(name.startswith('validation') for name in values) else ''}"
        if values and values not in told.setdefault(kind.strip(), []):
            told[kind.strip()].append(values)
    return told


def main() -> None:
    """Do all trials of all trainings; the first of each is disturbed by nothing."""
    root = Path(sys.argv[1])
    told = {}
    for name, training in json.loads((root / "inputs.json").read_text()).items():
        for trial, kills in {"calm": [], **training["trials"]}.items():
            folder = root / name / trial.replace(" ", "-")
            folder.mkdir(parents=True)
            ends = [forked(folder, training, kill) for kill in [*kills, None]]
            result = folder / "result.json"
            told[f"{name}: {trial}"] = {
                "ends": ends,
                "result": json.loads(result.read_text()) if result.is_file() else None,
                "curves": curves(folder),
            }
    sys.stdout.write(json.dumps(told))


def preload() -> None:
    """Import what trainings would import one by one, in each process anew."""
    transformers.utils.logging.disable_progress_bar()
    for name in ("LlamaForCausalLM", "LlamaForSequenceClassification", "LlamaConfig", "PreTrainedTokenizerFast"):
        getattr(transformers, name)
    for name in ("AutoModelForCausalLM", "AutoModelForSequenceClassification", "AutoTokenizer"):
        getattr(transformers, name)


if __name__ == "__main__":
    preload()
    main()
