"""Where a document stands in the tokens: the place that is told holds exactly its tokens, whatever the packing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from corpusmill.cli import main
from corpusmill.plan.check import check
from corpusmill.runner import id_index
from corpusmill.runner.driver import RunOptions, run_spec
from corpusmill.runner.records import RunRecord, latest_run
from corpusmill.runner.token_places import token_places
from corpusmill.runner.tokens import TokenSet

SPEC = """\
corpusmill: 1
name: places
seed: 3
steps:
  - {id: raw, uses: read.jsonl, with: {paths: "*.jsonl"}}
  - {id: long, uses: filter.length, with: {min_words: 3}}
  - {id: split, uses: split.by-hash, with: {train: 0.7, test: 0.3}}
  - {id: vocabulary, uses: tokenizer.bpe, needs: split.train, with: {size: 300}}
  - {id: tokens, uses: tokens.pack, needs: {documents: split, tokenizer: vocabulary}, with: {window: 16}}
"""


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> RunRecord:
    """A run that packs documents of three files, some longer than a window, some shorter."""
    folder = tmp_path_factory.mktemp("places")
    (folder / "mill.yaml").write_text(SPEC)
    for file in range(3):
        texts = [f"document {row} of file {file} " + "说说而已 and more " * (row * 3 % 7) for row in range(12)]
        (folder / f"{file}.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in [*texts, "short"]))
    run_spec(check(folder / "mill.yaml"), RunOptions(store=str(folder / "store"), debug=True))
    return latest_run(folder / "store", "places")


def token_set(record: RunRecord) -> TokenSet:
    from corpusmill.dataset.store import Store

    return TokenSet.open(Store(record.store), record.outputs["outputs"]["tokens"]["digest"])


def encoded(tokens: TokenSet) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for part in tokens.parts:
        table = pa.ipc.open_file(str(tokens.store.path(part.file))).read_all()
        found |= dict(zip(table["id"].to_pylist(), table["tokens"].to_pylist(), strict=True))
    return found


def test_the_windows_told_hold_the_document(packed: RunRecord) -> None:
    """Behind the tokens of others in the first window, the document's own follow, on into the windows after it."""
    tokens, spans = token_set(packed), set()
    for document, ids in encoded(tokens).items():
        (place,) = token_places(packed, document)
        windows = tokens.windows(place.split).take(np.array(place.windows))
        # The first id of a window repeats the last of the one before.
        stream = [int(one) for row, window in enumerate(windows) for one in window[1 if row else 0 :]]
        assert stream[place.before : place.before + len(ids)] == ids
        assert (place.tokens, place.step, place.of) == (len(ids), "tokens", len(tokens.windows(place.split)))
        spans.add(len(place.windows))
    assert len(spans) > 1


def test_many_parts_are_narrowed_by_the_index(packed: RunRecord, monkeypatch: pytest.MonkeyPatch) -> None:
    """With an index the same places are found."""
    documents = list(encoded(token_set(packed)))[:5]
    read = [token_places(packed, one) for one in documents]
    monkeypatch.setattr(id_index, "FEW", 1)
    assert [token_places(packed, one) for one in documents] == read


def test_a_document_that_was_removed_has_no_place(packed: RunRecord, capsys: pytest.CaptureFixture[str]) -> None:
    """Its tokens were never made."""
    offset = (Path(packed.store).parent / "0.jsonl").read_bytes().index(b'{"text": "short"')
    told = explained(packed, f"0.jsonl@{offset}", capsys)
    assert "tokens of" not in told
    assert token_places(packed, "0" * 32) == []


def explained(record: RunRecord, document: str, capsys: pytest.CaptureFixture[str], *more: str) -> str:
    capsys.readouterr()
    with pytest.raises(SystemExit):
        main(["explain", "places", document, "--store", record.store, *more])
    return capsys.readouterr().out


def test_explain_tells_the_place(packed: RunRecord, capsys: pytest.CaptureFixture[str]) -> None:
    """As a line of text, and in JSON."""
    told: dict[str, Any] = json.loads(explained(packed, "1.jsonl@0", capsys, "--json"))
    (place,) = told["tokens"]
    assert place["windows"]
    line = next(one for one in explained(packed, "1.jsonl@0", capsys).splitlines() if one.startswith("tokens of"))
    assert line.startswith(f"tokens of tokens: split {place['split']}, document {place['document']} in part ")
    assert f"{place['tokens']} tokens in window" in line
    assert f" of {place['of']}" in line
