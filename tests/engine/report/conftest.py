"""A run as outputs.json, plan.json and journal would tell it: the fixed sample of the report tests."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from corpusmill.runner.journal import Event
from corpusmill.runner.records import RunRecord

HOSTILE = '<script>alert("x")</script>\x1b[31m[red]\u202egnirts\x07'
TIME = "2026-11-22T03:44:29.000Z"
DIGEST = "3f0c9e1d8a7b4c5d9e0f1a2b3c4d5e6f"


def counts(uses: str, rows_in: int, out: int, **more: Any) -> dict[str, Any]:
    return {"uses": uses, "in": rows_in, "out": out, "added": 0, "removed": {}, "quarantined": {}, **more}


def made(kind: str, mark: str, **more: Any) -> dict[str, Any]:
    return {"kind": kind, "digest": mark * 16, "path": f"artifacts/{mark}", **more}


def scores(perplexity: float, unigram: float, bits: float) -> dict[str, Any]:
    return {
        "loss": 4.5,
        "perplexity": perplexity,
        "bits_per_byte": bits,
        "tokens": 61728,
        "unigram_perplexity": unigram,
    }


def sample_made() -> dict[str, Any]:
    splits = {"train": 3602, "validation": 201, "test": 200}
    tokens = {"train": {"tokens": 1_111_111}, "validation": {"tokens": 61_728}, "test": {"tokens": 61_001}}
    values = {"splits": {"test": scores(90.13, 830.2, 1.91), "validation": scores(85.2, 812.0, 1.88)}}
    return {
        "quality": made("documents", "aa", rows=4203),
        "split": {"kind": "documents", "digest": DIGEST, "path": f"datasets/{DIGEST}", "rows": 4003, "splits": splits},
        "vocabulary": made("tokenizer", "b1", summary={"size": 4096, "special": ["<end>"]}),
        "tokens": made("tokens", "c2", splits=tokens),
        "model": made("model", "d3", summary={"steps": 300, "parameters": 2_600_000, "stopped": False}),
        "score": made("metrics", "e4", values=values),
        "export": {"kind": "files", "digest": "f5" * 16, "path": "out/quickstart", "rows": 4003},
    }


def sample_counts() -> dict[str, Any]:
    weak = {"few words": 1200, "symbol ratio": 400, "bullet lines": 150, "short words": 40, "ellipsis": 7}
    return {
        "pages": counts("read.warc", 5120, 5110, quarantined={"invalid gzip member": 10}, seconds=3.1),
        "articles": counts("clean.html", 5110, 5000, removed={"no main text": 110}, changed=5000, seconds=21.5),
        "books": counts("read.text", 1000, 1000, seconds=0.4),
        "documents": counts("clean.unicode", 6000, 6000, changed=812, seconds=1.2),
        "quality": counts("filter.gopher-quality", 6000, 4203, removed=weak, seconds=2.2),
        "near": counts("dedup.minhash", 4203, 4003, removed={"duplicate": 180, "duplicate-via": 20}, seconds=4.0),
        "split": counts("split.by-hash", 4003, 4003, seconds=0.1),
        "tokens": counts("tokens.pack", 4003, 4341),
    }


def sample_signals(step: str, signal: str, reason: str) -> dict[str, Any]:
    words = {
        "rows": 6000,
        "missing": 100,
        "least": 3.0,
        "largest": 50.0,
        "bins": [[3.0, 3.25, 20], [48.0, 52.0, 5880]],
    }
    rule = {"signal": signal, "side": "least", "threshold": 50.0, "reason": reason}
    return {step: {"uses": "filter.gopher-quality", "rules": [rule], "signals": {signal: words}}}


def sample_outputs() -> dict[str, Any]:
    """A finished quickstart."""
    return {
        "name": "quickstart",
        "status": "done",
        "started": "2026-11-22T03:44:29Z",
        "seconds": 134.2,
        "executor": "ray",
        "outputs": sample_made(),
        "counts": sample_counts(),
        "damaged": [],
        "quarantine": 10,
        "ledger": [],
        "signals": sample_signals("quality", "words", "few words"),
        "values": [],
    }


def planned(name: str, uses: str, needs: list[str], **options: Any) -> dict[str, Any]:
    return {"id": name, "uses": uses, "options": options, "column": "text", "needs": {"documents": needs}}


def sample_plan() -> dict[str, Any]:
    """The plan of the sample."""
    steps = {
        "pages": [planned("pages", "read.warc", []), planned("articles", "clean.html", ["pages"])],
        "books": [planned("books", "read.text", [])],
        "quality": [
            planned("documents", "clean.unicode", ["articles", "books"]),
            planned("quality", "filter.gopher-quality", ["documents"], min_words=30),
        ],
        "near": [planned("near", "dedup.minhash", ["quality"], threshold=0.7, ngram=5)],
        "split": [planned("split", "split.by-hash", ["near"], train=0.9)],
        "model": [planned("model", "train.causal-lm", [], steps=300)],
    }
    kinds = {"near": "dedup", "model": "train"}
    return {"stages": [{"id": name, "kind": kinds.get(name, "pass"), "steps": each} for name, each in steps.items()]}


def sample_stages() -> list[dict[str, Any]]:
    plan = sample_plan()["stages"]
    return [{"id": one["id"], "kind": one["kind"], "steps": [step["id"] for step in one["steps"]]} for one in plan]


def sample_events() -> list[Event]:
    """The journal of the sample: stages, and the loss of a model that learns."""
    stages = sample_stages()
    events = [Event(TIME, "run_started", {"name": "quickstart", "executor": "ray", "stages": stages})]
    for place, stage in enumerate(stages):
        events.append(Event(TIME, "stage_started", {**stage, "total": 4, "cached": place % 2}))
        if stage["id"] == "model":
            for at in range(0, 301, 10):
                values = {"learning_rate": 1e-3 * (1 - at / 300), "loss": 4.2 + 4 * math.exp(-at / 60)}
                events.append(Event(TIME, "metrics", {"id": "model", "step": at, "values": values}))
        finished = {**stage, "digest": "00" * 16, "rows": 4000 - place, "seconds": 3.0 + 9 * place, "counts": {}}
        events.append(Event(TIME, "stage_finished", finished))
    return events


def hostile_outputs() -> dict[str, Any]:
    """The sample with a hostile string wherever text from outside can stand."""
    run = sample_outputs()
    run["status"], run["error"] = "failed", f"cannot read {HOSTILE}\n  at: {HOSTILE}"
    run["counts"]["pages"]["quarantined"] = {HOSTILE: 10}
    run["counts"]["quality"]["removed"] = {HOSTILE: 1797}
    run["damaged"] = [{"file": HOSTILE, "reason": HOSTILE, "offset": 12345}]
    run["outputs"]["export"]["path"] = HOSTILE
    run["outputs"]["score"]["values"] = {HOSTILE: {HOSTILE: HOSTILE}}
    run["outputs"]["model"]["summary"] = {HOSTILE: HOSTILE}
    run["outputs"]["split"]["splits"] = {HOSTILE: 1}
    run["signals"], run["values"] = sample_signals(HOSTILE, HOSTILE, HOSTILE), [{"step": HOSTILE, "path": HOSTILE}]
    return run


@pytest.fixture
def outputs() -> dict[str, Any]:
    return sample_outputs()


@pytest.fixture
def plan() -> dict[str, Any]:
    return sample_plan()


@pytest.fixture
def stages() -> list[dict[str, Any]]:
    return sample_stages()


@pytest.fixture
def events() -> list[Event]:
    return sample_events()


@pytest.fixture
def hostile() -> str:
    return HOSTILE


@pytest.fixture
def hostile_run() -> dict[str, Any]:
    return hostile_outputs()


def ledger_row(
    identity: str, offset: int, step: int, rule: str, value: float, threshold: float, **more: Any
) -> dict[str, Any]:
    row = {"row": offset, "id": identity, "file": "pages-0.warc.gz", "offset": offset, "step": step, "rule": rule}
    return {**row, "value": value, "threshold": threshold, "detail": None, "other": None, **more}


@pytest.fixture
def finished_run(tmp_path: Path) -> RunRecord:
    """A run in a real store: datasets `quality` (a, b and two d) and `split` (a and two d), two ledgers."""
    import pyarrow as pa

    from corpusmill.dataset.manifest import Entry, publish_dataset
    from corpusmill.dataset.part import PartWriter, write_table
    from corpusmill.dataset.store import Store
    from corpusmill.ledger.removed import SCHEMA

    store = Store(str(tmp_path))
    kept, twin, weak = "aaaa1111" + "0" * 24, "bbbb2222" + "0" * 24, "bbbb3333" + "0" * 24
    alike = ["dddd4444" + "0" * 24, "dddd4444" + "1" * 24]
    columns = [("id", pa.string()), ("text", pa.large_string()), ("file", pa.large_string()), ("offset", pa.int64())]
    schema = pa.schema([*columns, ("split", pa.string())])

    def publish(ids: list[str]) -> dict[str, Any]:
        offsets = {kept: 100, twin: 200, alike[0]: 400, alike[1]: 500}
        rows = [
            {
                "id": one,
                "text": f"\x1b[31m{one} 中文",
                "file": "pages-0.warc.gz",
                "offset": offsets[one],
                "split": "train",
            }
            for one in ids
        ]
        writer = PartWriter(store, schema)
        writer.write(pa.RecordBatch.from_pylist(rows, schema=schema))
        dataset = publish_dataset(store, schema, [Entry(writer.finish(), splits={"train": len(ids)})])
        return {"kind": "documents", "digest": dataset.digest, "path": "x", "rows": len(ids), "splits": dataset.splits}

    def ledger(stage: str, *rows: dict[str, Any]) -> dict[str, Any]:
        file = write_table(store, pa.Table.from_pylist(list(rows), schema=SCHEMA))
        return {"step": stage, "path": f"{store.uri}/{file.name}"}

    run = sample_outputs()
    run["outputs"]["quality"], run["outputs"]["split"] = publish([kept, twin, *alike]), publish([kept, *alike])
    run["ledger"] = [
        ledger("quality", ledger_row(weak, 300, 1, "few words", 12.0, 30.0, detail="12 words")),
        ledger("near", ledger_row(twin, 200, 0, "duplicate", 0.91, 0.7, other=kept)),
    ]
    folder = tmp_path / "runs" / "quickstart" / "20261122T034429"
    folder.mkdir(parents=True)
    (folder / "outputs.json").write_text(json.dumps(run))
    (folder / "plan.json").write_text(json.dumps(sample_plan()))
    return RunRecord("quickstart", "20261122T034429", folder)
