"""Ray: one local cluster for all tests here; the same names and bytes as in one process."""

from __future__ import annotations

import importlib.util
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ray = pytest.importorskip("ray")
WORKERS = 2


@pytest.fixture(scope="session")
def cluster(request: pytest.FixtureRequest) -> Iterator[None]:
    """A local cluster of two workers and, Ray is told, a GPU, started as a run starts it; runs leave it up."""
    if all(importlib.util.find_spec(name) for name in ("obstore", "moto")):
        request.getfixturevalue("s3")  # workers have the environment that the cluster was started in
    from ray._private.accelerators.nvidia_gpu import NvidiaGPUAcceleratorManager

    from corpusmill.runner.ray_executor import connect

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(NvidiaGPUAcceleratorManager, "get_current_node_num_accelerators", staticmethod(lambda: 1))
        patch.setattr(NvidiaGPUAcceleratorManager, "get_current_node_accelerator_type", staticmethod(lambda: "H200"))
        assert connect(None, WORKERS)
    yield
    ray.shutdown()


def chain(mill: Any) -> list[dict[str, Any]]:
    """Two passes with a plugin file of the spec around three deduplicators, over several shards; then tokens."""
    for name, seed in (("a", 1), ("b", 2)):
        mill.jsonl(f"data/{name}.jsonl", [f"{text}\nread on" for text in mill.texts(60, seed)])
    return [
        {"id": "read", "uses": "read.jsonl", "with": {"paths": "data/*.jsonl", "shard": "6 KB"}},
        mill.mark("one"),
        {"id": "short", "uses": "filter.short", "with": {"most": 300, "signals": "keep"}},
        {"id": "exact", "uses": "dedup.exact"},
        {"id": "near", "uses": "dedup.minhash"},
        {"id": "lines", "uses": "dedup.segments"},
        {"id": "number", "uses": "annotate.random"},
        {"id": "split", "uses": "split.by-hash", "with": {"train": 0.8, "test": 0.2}},
        {"id": "words", "uses": "tokenizer.bpe", "needs": "split.train", "with": {"size": 300}},
        {
            "id": "tokens",
            "uses": "tokens.pack",
            "needs": {"documents": "split", "tokenizer": "words"},
            "with": {"window": 32},
        },
        {"id": "out", "uses": "write.parquet", "needs": "split", "with": {"path": str(mill.root / "out")}},
    ]


def test_ray_leaves_the_same_store_and_the_same_files(mill: Any, cluster: None) -> None:
    """Names and bytes of all that a store holds, and the exported files, equal those of the inline executor; the
    operators of the plugin file were called in the workers."""
    steps = chain(mill)
    there = str(mill.root / "ray")
    result = mill.run(steps, executor="ray", store=there, workers=WORKERS)
    assert result.outputs["executor"] == "ray"
    assert mill.calls()["one"] > 1
    written = {path.name: path.read_bytes() for path in (mill.root / "out").rglob("*.parquet")}
    shutil.rmtree(mill.root / "out")
    mill.run(steps, executor="inline")
    assert mill.tree() == mill.tree(there)
    assert {path.name: path.read_bytes() for path in (mill.root / "out").rglob("*.parquet")} == written


def test_ray_on_s3_leaves_the_same_store(mill: Any, cluster: None, s3: str) -> None:
    """Workers that read from and write to a bucket leave the names and bytes of a run in one process on a folder."""
    chosen = ("read", "short", "near", "split", "words")
    steps = [step for step in chain(mill) if step["id"] in chosen]
    there = f"s3://{s3}/{uuid.uuid4().hex}"
    result = mill.run(steps, executor="ray", store=there, workers=WORKERS)
    assert (result.outputs["executor"], result.outputs["status"]) == ("ray", "done")
    mill.run(steps)
    assert mill.tree() == mill.tree(there)


def test_a_raise_on_ray_quarantines_the_same_row(mill: Any, cluster: None) -> None:
    """A document that makes an operator raise is quarantined alone, with the bytes of a run in one process."""
    texts = mill.texts(40)
    texts[17] += " poison"
    mill.jsonl("data/a.jsonl", texts)
    steps = [
        {"id": "read", "uses": "read.jsonl", "with": {"paths": "data/*.jsonl", "shard": "4 KB"}},
        {"id": "explode", "uses": "filter.explode"},
    ]
    there = str(mill.root / "ray")
    limits = {"max_bad_fraction": 0.1}
    outputs = mill.run(steps, executor="ray", store=there, limits=limits, workers=WORKERS).outputs
    (row,) = mill.quarantine(outputs)
    assert row["raw"].decode() == texts[17]
    mill.run(steps, limits=limits)
    assert mill.tree() == mill.tree(there)


@pytest.fixture
def modelled(mill: Any) -> tuple[Any, list[dict[str, Any]]]:
    """A mill whose store holds a trained model, and steps that ask it for a perplexity."""
    pytest.importorskip("torch")
    pytest.importorskip("transformers")
    mill.jsonl("data/a.jsonl", mill.texts(150, 3))
    model = {"type": "llama", "layers": 1, "hidden": 16, "heads": 2}
    training = {"model": model, "steps": 2, "batch_tokens": 64, "learning_rate": 1e-3}
    base = [
        {"id": "read", "uses": "read.jsonl", "with": {"paths": "data/*.jsonl", "shard": "16 KB"}},
        {"id": "words", "uses": "tokenizer.bpe", "with": {"size": 300}},
        {
            "id": "tokens",
            "uses": "tokens.pack",
            "needs": {"documents": "read", "tokenizer": "words"},
            "with": {"window": 32},
        },
        {"id": "model", "uses": "train.causal-lm", "needs": {"tokens": {"train": "tokens"}}, "with": training},
    ]
    mill.run(base, name="base")
    asked = {"documents": "run:base/read", "model": "run:base/model"}
    return mill, [{"id": "hard", "uses": "annotate.perplexity", "needs": asked}]


def test_a_model_in_a_pool_gives_the_same_column(modelled: Any, cluster: None) -> None:
    """One actor, two actors and the process itself agree on every document's perplexity to 1e-5."""
    mill, steps = modelled
    columns = []
    for name, actors in (("alone", None), ("pool-1", 1), ("pool-2", 2)):
        store = str(mill.root / name)
        shutil.copytree(mill.store_uri, store)
        step = {**steps[0], "resources": {"actors": actors}} if actors else steps[0]
        options = {"executor": "ray", "workers": WORKERS} if actors else {}
        outputs = mill.run([step], store=store, **options).outputs["outputs"]
        rows = mill.rows(outputs["hard"]["digest"], store)
        columns.append([row["perplexity"] for row in rows])
        assert len(rows) == 150
    assert columns[0][0] > 1
    assert columns[1] == pytest.approx(columns[0], rel=1e-5)
    assert columns[2] == pytest.approx(columns[0], rel=1e-5)
    assert Path(store).is_dir()


@pytest.mark.parametrize(
    ("resources", "place"),
    [
        ({}, "cpu any"),
        ({"gpus": 1}, "cuda 0"),
        ({"gpus": 0.5, "accelerator": "H200"}, "cuda 0"),
        ({"gpus": 2}, "cpu any"),
    ],
)
def test_a_step_gets_the_gpu_that_it_asks_for(mill: Any, cluster: None, resources: dict[str, Any], place: str) -> None:
    """It is told `cuda` and sees its GPU alone; where there are too few, it runs on the CPU and the run says so."""
    mill.jsonl("data/a.jsonl", mill.texts(5))
    steps = [
        {"id": "read", "uses": "read.jsonl", "with": {"paths": "data/*.jsonl"}},
        {"id": "here", "uses": "annotate.place", "resources": resources},
    ]
    result = mill.run(steps, executor="ray", workers=WORKERS)
    assert {row["place"] for row in mill.rows(result.outputs["outputs"]["here"]["digest"])} == {place}
    told = ["here: 2 GPU asked, 1 there; running on CPU"] if resources.get("gpus") == 2 else []
    assert result.notices == told


def test_a_pool_has_no_more_actors_than_gpus(cluster: None) -> None:
    """A second actor would wait for a GPU for ever, and the documents sent to it with it."""
    from corpusmill.runner.ray_pool import start_actors

    for gpus, count in ((1, 1), (0.5, 2)):
        actors = start_actors({}, {}, {"actors": 2, "gpus": gpus, "cpus": 1}, WORKERS)
        assert len(actors) == count
        for actor in actors:
            ray.kill(actor)
