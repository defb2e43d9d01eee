"""What it costs on disk to know of every removed document why it went."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import orjson

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent / "engine")]

import corpus  # noqa: E402

SCALES = {"full": 500.0, "small": 60.0}
"""Megabytes of input."""
SPEC = """corpusmill: 1
name: ledger-size
limits: {{max_bad_fraction: 0.5}}
steps:
  - {{uses: read.jsonl, with: {{paths: {input}/*.jsonl}}}}
  - {{uses: annotate.language}}
  - {{uses: filter.where, with: {{column: language, in: [en, zh, de, ja]}}}}
  - {{uses: filter.gopher-repetition}}
  - {{uses: filter.gopher-quality}}
  - {{id: exact, uses: dedup.exact}}
  - {{id: near, uses: dedup.minhash, with: {{threshold: 0.7}}}}
"""


def measure() -> dict[str, Any]:
    """Return the table: bytes in ledgers for each removed document, of filters and of deduplicators."""
    megabytes = SCALES[os.environ.get("CORPUSMILL_RELIABILITY_SCALE", "full")]
    with tempfile.TemporaryDirectory() as folder:
        outputs, store, text = _run(Path(folder), megabytes)
        ledgers = _ledgers(outputs)
        links = _bytes(store, "links")
        parts = sum(one["part"].bytes for one in _records(store, "part"))
    rows = [
        [name, f"{one['rows']:,}", f"{one['bytes']:,}", f"{one['bytes'] / max(1, one['rows']):.1f}"]
        for name, one in ledgers.items()
    ]
    removed, size = (sum(one[what] for one in ledgers.values()) for what in ("rows", "bytes"))
    rows.append(["together", f"{removed:,}", f"{size:,}", f"{size / max(1, removed):.1f}"])
    read = next(iter(outputs["counts"].values()))["in"]
    return {
        "title": "What the ledger of removed documents takes",
        "columns": ["ledger of", "removed documents", "bytes", "bytes a removed document"],
        "rows": rows,
        "notes": [
            (
                f"Of {read:,} real documents ({text / 1e6:,.0f} MB), repeated with a changed line a copy, {removed:,} "
                "were removed: by language, by Gopher's rules, and as exact and near duplicates."
            ),
            (
                "A row holds the document's id, file, offset, step, rule, value and threshold, and the id of the kept "
                "document for a duplicate. Ids are random and cannot be compressed: 16 bytes of each."
            ),
            (
                f"Beside them, {links:,} bytes of links between duplicates; what was kept takes {parts:,} bytes, so "
                f"the ledgers add {size / max(1, parts):.2%}."
            ),
        ],
        "bytes_per_removed_document": round(size / max(1, removed), 2),
    }


def _run(folder: Path, megabytes: float) -> tuple[dict[str, Any], Path, int]:
    """Run the pipeline over real documents; return its outputs, its store and the bytes of its input."""
    size = int(megabytes * 1e6)
    texts = corpus.texts_at_hand()
    corpus.cut(corpus.lines_of(texts, size), folder / "input", 8, size)
    spec, store = folder / "spec.yaml", folder / "store"
    spec.write_text(SPEC.format(input=folder / "input"), encoding="utf-8")
    cli = [sys.executable, "-c", "from corpusmill.cli import main; main()"]
    command = [*cli, "run", str(spec), "--store", str(store), "--executor", "inline", "--quiet", "--json"]
    outputs = json.loads(subprocess.run(command, check=True, cwd=folder, stdout=subprocess.PIPE).stdout)
    return outputs, store, sum(path.stat().st_size for path in (folder / "input").iterdir())


def _ledgers(outputs: dict[str, Any]) -> dict[str, dict[str, int]]:
    """Stage -> rows and bytes of its ledger files."""
    import pyarrow as pa

    found: dict[str, dict[str, int]] = defaultdict(lambda: {"rows": 0, "bytes": 0})
    for ledger in outputs["ledger"]:
        path = Path(ledger["path"])
        one = found[", ".join(ledger.get("steps") or [ledger["step"]])]
        one["bytes"] += path.stat().st_size
        with pa.memory_map(str(path)) as source:
            one["rows"] += pa.ipc.open_file(source).read_all().num_rows
    return dict(found)


def _records(store: Path, field: str) -> Iterable[dict[str, Any]]:
    """Yield, of each commit record with a field, the references in it."""
    from corpusmill.dataset.inventory import files_in
    from corpusmill.dataset.store import Store

    for _, _, record in Store(str(store)).commits.every():
        content = orjson.loads(record or b"{}")
        if content.get(field):
            for reference in files_in(content[field]):
                yield {field: reference}


def _bytes(store: Path, field: str) -> int:
    return sum(one[field].bytes for one in _records(store, field))
