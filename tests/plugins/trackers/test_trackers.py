"""The built-in trackers record a real run in real stores: event files that TensorBoard reads, an MLflow database."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pytest

from corpusmill.errors import SpecError
from corpusmill.plan.check import check
from corpusmill.runner.driver import RunOptions, RunResult, run_spec

pytest.importorskip("tensorboard", reason="the extra `trackers` is not installed")
pytest.importorskip("mlflow", reason="the extra `trackers` is not installed")


def _spec(folder: Path, track: list[dict[str, Any]], *, train: bool = True) -> Any:
    if not (folder / "in.jsonl").exists():
        texts = (f"Document {n} tells of bread, wind and water, and of mill {n % 7}." for n in range(300))
        (folder / "in.jsonl").write_text("".join(f'{{"text": "{text}"}}\n' for text in [*texts, "short"]))
    tiny = {"type": "llama", "layers": 1, "hidden": 16, "heads": 2}
    steps: list[dict[str, Any]] = [
        {"id": "documents", "uses": "read.jsonl", "with": {"paths": str(folder / "in.jsonl")}},
        {"id": "long", "uses": "filter.length", "with": {"min_words": 5}},
    ]
    if train:
        packed = {"documents": "parts", "tokenizer": "words"}
        learn = {"model": tiny, "steps": 12, "batch_tokens": 64}
        steps += [
            {"id": "parts", "uses": "split.by-hash", "with": {"train": 0.8, "validation": 0.2}},
            {"id": "words", "uses": "tokenizer.bpe", "needs": "parts.train", "with": {"size": 280}},
            {"id": "tokens", "uses": "tokens.pack", "needs": packed, "with": {"window": 16}},
            {"id": "model", "uses": "train.causal-lm", "needs": "tokens", "with": learn},
            {"id": "score", "uses": "evaluate.perplexity", "needs": {"model": "model", "tokens": "tokens.validation"}},
        ]
    return check({"corpusmill": 1, "name": "tracked", "run": {"track": track}, "steps": steps})


@pytest.fixture(scope="module")
def followed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, RunResult]:
    """A folder, and a run in it that both trackers followed."""
    folder = tmp_path_factory.mktemp("tracked")
    store = f"sqlite:///{folder}/mlflow.db"
    track = [{"uses": "track.tensorboard"}, {"uses": "track.mlflow", "with": {"uri": store, "experiment": "bread"}}]
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)  # what an observer raises is a warning
        return folder, run_spec(_spec(folder, track), RunOptions(store=str(folder / "store"), executor="inline"))


@pytest.fixture(scope="module")
def recorded(followed: tuple[Path, RunResult]) -> tuple[Any, Any]:
    """MLflow's client, and the run as it stands in the database."""
    from mlflow.tracking import MlflowClient

    client = MlflowClient(tracking_uri=f"sqlite:///{followed[0]}/mlflow.db")
    experiment = client.get_experiment_by_name("bread")
    (run,) = client.search_runs([experiment.experiment_id])
    return client, run


def test_tensorboard_reads_the_loss(followed: tuple[Path, RunResult]) -> None:
    """TensorBoard's own reader finds the training loss, the counts and the evaluation in the run's folder."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    result = followed[1]
    events = EventAccumulator(str(result.folder / "tensorboard"))
    events.Reload()
    assert [one.step for one in events.Scalars("model/loss")][-1] == 12
    assert events.Scalars("long/removed/too-few-words")[0].value == 1
    scores = [one for one in events.Tags()["scalars"] if one.startswith("score/") and one.endswith("perplexity")]
    assert scores
    assert all(events.Scalars(one)[0].value > 1 for one in scores)


def test_mlflow_holds_the_loss(recorded: tuple[Any, Any]) -> None:
    """The loss stands in MLflow's store with its step."""
    client, run = recorded
    history = client.get_metric_history(run.info.run_id, "model/loss")
    assert history[-1].step == 12
    assert run.data.metrics["long/removed/too-few-words"] == 1


def test_mlflow_says_how_it_ended(recorded: tuple[Any, Any], followed: tuple[Path, RunResult]) -> None:
    """The run is finished, named after the run's folder, and tagged with the digest of what each stage made."""
    run = recorded[1]
    assert run.info.status == "FINISHED"
    assert run.info.run_name == followed[1].folder.name
    assert run.data.tags["corpusmill.digest.model"] == followed[1].outputs["outputs"]["model"]["digest"]


def test_a_failed_run_is_told(tmp_path: Path) -> None:
    """A run that fails is FAILED in MLflow."""
    from mlflow.tracking import MlflowClient

    uri = f"sqlite:///{tmp_path}/mlflow.db"
    spec = _spec(tmp_path, [{"uses": "track.mlflow", "with": {"uri": uri}}], train=False)
    (tmp_path / "in.jsonl").unlink()
    with pytest.raises(Exception, match="no file matches"):
        run_spec(spec, RunOptions(store=str(tmp_path / "store"), debug=True))
    client = MlflowClient(tracking_uri=uri)
    (run,) = client.search_runs([client.get_experiment_by_name("tracked").experiment_id])
    assert run.info.status == "FAILED"


def test_a_store_that_is_away_stops_no_run(tmp_path: Path) -> None:
    """A tracker that cannot reach its store is a warning; the run ends well."""
    spec = _spec(
        tmp_path, [{"uses": "track.mlflow", "with": {"uri": f"sqlite:///{tmp_path}/in.jsonl/db"}}], train=False
    )
    with pytest.warns(RuntimeWarning, match="observer .* raised"):
        result = run_spec(spec, RunOptions(store=str(tmp_path / "store"), debug=True))
    assert result.outputs["status"] == "done"


@pytest.mark.parametrize(
    ("track", "words"),
    [
        ([{"uses": "track.tensorbored"}], "unknown tracker 'track.tensorbored'"),
        ([{"uses": "track.mlflow"}], "option 'uri' is missing"),
        ([{"uses": "track.tensorboard", "with": {"dir": "x"}}], "unknown option 'dir' of track.tensorboard"),
        ([{"uses": "track.tensorboard", "id": "x"}], "unknown key 'id'"),
        (["track.tensorboard"], "a tracker is no mapping"),
    ],
)
def test_a_wrong_tracker_is_found_by_the_check(tmp_path: Path, track: Any, words: str) -> None:
    """Names and options of trackers are checked before anything runs, like those of steps."""
    with pytest.raises(SpecError, match=words):
        _spec(tmp_path, track, train=False)
