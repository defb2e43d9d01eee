"""Trainings killed and stopped at many places: the same weights and the same losses, bit for bit, as in one go."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

SCRIPT = Path(__file__).parent / "training_trials.py"
SHAPE = {"type": "llama", "layers": 1, "hidden": 32, "heads": 2, "dropout": 0.1}
CHECKPOINT = [["half a file", 2], ["before progress", 1], ["before the rename", 1], ["after the rename", 1]]
TRIALS: dict[str, list[list[Any]]] = {
    "killed at once": [["step", 1]],
    "killed behind a checkpoint": [["step", 9]],
    "killed in the first checkpoint": [["half a file", 1]],
    "killed at each place of a checkpoint": CHECKPOINT,
    "killed while older checkpoints go": [["older ones half gone", 1]],
    "killed while the model is saved": [["model half saved", 1]],
    "asked to stop": [["asked", 7]],
    "asked, then killed, then asked": [["asked", 3], ["step", 4], ["asked", 2], ["half a file", 3]],
}
FEW = ("killed behind a checkpoint", "killed at each place of a checkpoint", "asked, then killed, then asked")
"""Those of the default suite; of the classifier the last alone."""


def rows() -> list[dict[str, str]]:
    """Small reviews of two labels."""
    things = ["book", "film", "茶", "river", "letter", "baker"]
    rows = [{"text": f"a fine {one}", "label": "good", "split": "train"} for one in things]
    rows += [{"text": f"这个{one}太差", "label": "bad", "split": "train"} for one in things]
    return rows + [{**row, "split": "validation"} for row in rows[::3]]


def trainings(tokens: Any, model: Any, sentences: list[str], chosen: list[str]) -> dict[str, Any]:
    """What is trained: a language model, a classifier that keeps its best weights, a stranger's trainer."""
    causal = {
        "trainer": "causal-lm",
        "options": {"model": SHAPE, "steps": 21, "batch_tokens": 128, "learning_rate": 5e-3, "checkpoint_every": 4},
        "inputs": {
            "tokens": {
                "streams": {name: list(map(int, ids)) for name, ids in tokens.streams.items()},
                "window": tokens.window,
                "vocabulary_size": tokens.vocabulary_size,
                "tokenizer": str(tokens.tokenizer.path),
            }
        },
        "trials": {name: TRIALS[name] for name in chosen},
    }
    stopping, often = {"metric": "loss", "patience": 3}, {"checkpoint_every": 4}
    classify = {
        "trainer": "classify",
        "options": {"epochs": 4, "batch_size": 4, "learning_rate": 5e-3, "early_stopping": stopping, **often},
        "inputs": {"documents": rows(), "model": str(model.path)},
        "trials": {name: TRIALS[name] for name in chosen[len(FEW) - 1 :]},
    }
    bigrams = {
        "trainer": "bigrams",
        "options": {"checkpoint_every": 10},
        "inputs": {"documents": [{"text": text} for text in sentences]},
        "trials": {
            "killed": [["step", 35]],
            "killed in a checkpoint": [["before the rename", 2]],
            "asked": [["asked", 12]],
        },
    }
    return {"causal-lm": causal, "classify": classify, "bigrams": bigrams}


@pytest.mark.parametrize("chosen", [FEW, pytest.param(tuple(TRIALS), marks=pytest.mark.soak)], ids=["few", "all"])
def test_interrupted_trainings_are_those_that_were_not(
    tmp_path: Path, tokens: Any, model: Any, sentences: list[str], chosen: tuple[str, ...]
) -> None:
    """SIGKILL at steps, inside and around checkpoints, while the model is saved; requests to stop; one after the other.

    Files are compared by hash: weights, losses and all. Values told of a step are the same whoever told them.
    """
    folder = tmp_path / "trials"
    folder.mkdir()
    (folder / "inputs.json").write_text(json.dumps(trainings(tokens, model, sentences, [*chosen])))
    ended = subprocess.run([sys.executable, str(SCRIPT), str(folder)], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    told = json.loads(ended.stdout)
    assert len(told) == 3 + len(chosen) + len(chosen[len(FEW) - 1 :]) + 3
    for name, trial in told.items():
        calm = told[f"{name.partition(':')[0]}: calm"]
        interruptions = trial["ends"][:-1]
        assert trial["ends"][-1] == "done", f"{name}: {ended.stderr}"
        assert all(end in ("killed", "stopped") for end in interruptions), f"{name}: {interruptions}: {ended.stderr}"
        assert trial["result"] == calm["result"], name
        assert trial["curves"] == calm["curves"], name
        assert all(len(values) == 1 for values in calm["curves"].values()), name
    model_files = told["causal-lm: calm"]["result"]["files"]
    assert {"model.safetensors", "losses.jsonl", "config.json"} <= model_files.keys()
