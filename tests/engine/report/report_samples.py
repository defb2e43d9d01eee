"""A run as outputs.json, plan.json and journal would tell it: the fixed sample of the report tests."""

from __future__ import annotations

import math
from typing import Any

from corpusmill.run.journal import Event

HOSTILE = '<script>alert("x")</script>\x1b[31m[red]\u202egnirts\x07'


def _step(uses: str, rows_in: int, out: int, **more: Any) -> dict[str, Any]:
    return {"uses": uses, "in": rows_in, "out": out, "added": 0, "removed": {}, "quarantined": {}, **more}


def sample_outputs() -> dict[str, Any]:
    """A finished quickstart."""
    digest = "3f0c9e1d8a7b4c5d9e0f1a2b3c4d5e6f"
    splits = {"train": 3602, "validation": 201, "test": 200}
    return {
        "name": "quickstart",
        "status": "done",
        "started": "2026-11-22T03:44:29Z",
        "seconds": 134.2,
        "executor": "ray",
        "outputs": {
            "quality": {"kind": "documents", "digest": "aa" * 16, "path": "datasets/" + "aa" * 16, "rows": 4203},
            "split": {
                "kind": "documents",
                "digest": digest,
                "path": f"datasets/{digest}",
                "rows": 4003,
                "splits": splits,
            },
            "vocabulary": {"kind": "tokenizer", "digest": "b1" * 16, "path": "artifacts/b1", "summary": {"size": 4096}},
            "tokens": {
                "kind": "tokens",
                "digest": "c2" * 16,
                "path": "artifacts/c2",
                "splits": {
                    "train": {"tokens": 1_111_111, "windows": 4341},
                    "validation": {"tokens": 61_728, "windows": 242},
                    "test": {"tokens": 61_001, "windows": 239},
                },
            },
            "model": {
                "kind": "model",
                "digest": "d3" * 16,
                "path": "artifacts/d3",
                "summary": {"steps": 300, "parameters": 2_600_000, "loss": 4.2123},
            },
            "score": {
                "kind": "metrics",
                "digest": "e4" * 16,
                "path": "artifacts/e4",
                "values": {
                    "test": {"perplexity": 90.13, "unigram_perplexity": 830.2, "bits_per_byte": 1.91},
                    "validation": {"perplexity": 85.2, "unigram_perplexity": 812.0, "bits_per_byte": 1.88},
                },
            },
            "export": {"kind": "files", "digest": "f5" * 16, "path": "out/quickstart", "rows": 4003},
        },
        "counts": {
            "pages": _step("read.warc", 5120, 5110, quarantined={"invalid gzip member": 10}, seconds=3.1),
            "articles": _step("clean.html", 5110, 5000, removed={"no main text": 110}, changed=5000, seconds=21.5),
            "books": _step("read.text", 1000, 1000, seconds=0.4),
            "documents": _step("clean.unicode", 6000, 6000, changed=812, seconds=1.2),
            "quality": _step(
                "filter.gopher-quality",
                6000,
                4203,
                removed={"few words": 1200, "symbol ratio": 400, "bullet lines": 150, "short words": 40, "ellipsis": 7},
                seconds=2.2,
            ),
            "near": _step("dedup.minhash", 4203, 4003, removed={"duplicate": 180, "duplicate-via": 20}, seconds=4.0),
            "split": _step("split.by-hash", 4003, 4003, seconds=0.1),
            "tokens": _step("tokens.pack", 4003, 4341),
        },
        "damaged": [],
        "quarantine": 10,
        "ledger": [],
    }


def sample_plan() -> dict[str, Any]:
    """The plan of the sample."""

    def step(name: str, uses: str, **options: Any) -> dict[str, Any]:
        return {"id": name, "uses": uses, "options": options, "column": "text"}

    stages = [
        {"id": "pages", "kind": "pass", "steps": [step("pages", "read.warc"), step("articles", "clean.html")]},
        {"id": "books", "kind": "pass", "steps": [step("books", "read.text")]},
        {
            "id": "quality",
            "kind": "pass",
            "steps": [step("documents", "clean.unicode"), step("quality", "filter.gopher-quality", min_words=30)],
        },
        {"id": "near", "kind": "dedup", "steps": [step("near", "dedup.minhash", threshold=0.7, ngram=5)]},
        {"id": "split", "kind": "pass", "steps": [step("split", "split.by-hash", train=0.9)]},
        {"id": "model", "kind": "train", "steps": [step("model", "train.causal-lm", steps=300)]},
    ]
    return {"stages": stages}


def sample_events() -> list[Event]:
    """The journal of the sample: stages, and the loss of a model that learns."""
    time = "2026-11-22T03:44:29.000Z"
    stages = [
        {"id": one["id"], "kind": one["kind"], "steps": [s["id"] for s in one["steps"]]}
        for one in sample_plan()["stages"]
    ]
    events = [Event(time, "run_started", {"name": "quickstart", "executor": "ray", "stages": stages})]
    for place, stage in enumerate(stages):
        events.append(Event(time, "stage_started", {**stage, "total": 4, "cached": place % 2}))
        if stage["id"] == "model":
            for at in range(0, 301, 10):
                values = {"loss": 4.2 + 4 * math.exp(-at / 60), "learning_rate": 1e-3 * (1 - at / 300)}
                events.append(Event(time, "metrics", {"id": "model", "step": at, "values": values}))
        finished = {**stage, "digest": "00" * 16, "rows": 4000 - place, "seconds": 3.0 + 9 * place, "counts": {}}
        events.append(Event(time, "stage_finished", finished))
    return events


def hostile_outputs() -> dict[str, Any]:
    """The sample with a hostile string wherever text from outside can stand."""
    outputs = sample_outputs()
    outputs["status"], outputs["error"] = "failed", f"cannot read {HOSTILE}\n  at: {HOSTILE}"
    outputs["counts"]["pages"]["quarantined"] = {HOSTILE: 10}
    outputs["counts"]["quality"]["removed"] = {HOSTILE: 1797}
    outputs["damaged"] = [{"file": HOSTILE, "reason": HOSTILE, "offset": 12345}]
    outputs["outputs"]["export"]["path"] = HOSTILE
    outputs["outputs"]["score"]["values"] = {HOSTILE: {HOSTILE: HOSTILE}}
    outputs["outputs"]["model"]["summary"] = {HOSTILE: HOSTILE}
    return outputs
