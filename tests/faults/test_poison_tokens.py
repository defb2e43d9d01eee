"""A document that a tokenizer cannot encode is found and left out of the tokens, alone, and listed with its reason."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
import pytest

from corpusmill.errors import BadRecordLimit
from corpusmill.runner.records import latest_run
from corpusmill.runner.replay import replay
from corpusmill.runner.tokens import TokenSet
from corpusmill.runner.trace import trace

PANICS, HANGS = "a" * 40 + "b", ("a" * 20 + "b ") * 40
"""On the first the tokenizer's pattern gives up, as an error of Rust; on the second it goes on for seconds."""


def fill(pit: Any, poison: dict[int, str]) -> None:
    """Write a tokenizer with a catastrophic pattern, and forty documents, of which some are poison for it."""
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers

    words = {"<|endoftext|>": 0, "other": 1, **{f"w{number}": number + 2 for number in range(40)}}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="other"))
    tokenizer.add_special_tokens(["<|endoftext|>"])
    split = pre_tokenizers.Split(Regex("(a+)+$"), "isolated")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([split, pre_tokenizers.Whitespace()])
    tokenizer.save(str(pit.root / "tokenizer.json"))
    (pit.root / "data").mkdir(exist_ok=True)
    texts = [poison.get(row, f"w{row} w{(row * 7) % 40} w3") for row in range(40)]
    lines = [json.dumps({"text": text}) + "\n" for text in texts]
    (pit.root / "data/a.jsonl").write_text("".join(lines))


def steps(pit: Any) -> list[dict[str, Any]]:
    """A reader, the tokenizer, tokens."""
    pack = {"uses": "tokens.pack", "needs": {"documents": "read", "tokenizer": "words"}, "with": {"window": 16}}
    return [
        pit.read(),
        {"id": "words", "uses": "load.tokenizer", "with": {"path": "tokenizer.json"}},
        {"id": "tokens", **pack},
    ]


def encoded(pit: Any, outputs: dict[str, Any], store: str = "store") -> list[dict[str, Any]]:
    """Return id and tokens of every document in a token set."""
    from corpusmill.dataset.store import Store

    found = TokenSet.open(Store(str(pit.root / store)), outputs["outputs"]["tokens"]["digest"])
    paths = [found.store.path(part.file) for part in found.parts]
    return [row for path in paths for row in pa.ipc.open_file(path).read_all().select(["id", "tokens"]).to_pylist()]


def test_a_document_that_cannot_be_encoded_has_no_tokens(pit: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A panic and an endless search: both are listed, the others have the tokens of a run with other texts there, and
    a rerun does nothing."""
    monkeypatch.delenv("RUST_BACKTRACE", raising=False)  # where it is set, a panic takes a second to tell of itself
    fill(pit, {})
    calm = encoded(pit, pit.run(steps(pit), store="calm", debug=True).outputs, "calm")
    tokens = [row["tokens"] for number, row in enumerate(calm) if number not in (3, 30)]
    fill(pit, {3: PANICS, 30: HANGS})
    outputs = pit.run(steps(pit), limits={"deadline": 0.3}).outputs
    assert [row["tokens"] for row in encoded(pit, outputs)] == tokens
    told = outputs["counts"]["tokens"]
    assert (told["in"], told["out"]) == (40, 38)
    assert told["quarantined"] == {"passed its deadline": 1, "raised PanicException": 1}
    assert outputs["quarantine"] == 2
    first, second = pit.quarantine(outputs)
    assert [first["raw"], second["raw"]] == [PANICS.encode(), HANGS.encode()]
    assert "retry-limit" in first["detail"]
    assert not {first["id"], second["id"]} & {row["id"] for row in encoded(pit, outputs)}
    fate = trace(latest_run(pit.store, "pit"), first["id"], replay)
    assert (fate.outcome, fate.tokens) == ("kept", ())
    assert [(one.step, one.verdict, one.rule) for one in fate.decisions[-1:]] == [
        ("tokens", "quarantined", "raised PanicException")
    ]
    tree = pit.tree()
    again = pit.run(steps(pit), limits={"deadline": 0.3}, debug=True).outputs
    assert again["counts"]["tokens"]["quarantined"] == told["quarantined"]
    assert pit.tree() == tree


def test_too_many_stop_the_run(pit: Any) -> None:
    """The limits of the step are those of any other: over them there are no tokens, and the step is named."""
    fill(pit, {3: PANICS})
    with pytest.raises(BadRecordLimit, match=r"1 of 40 records are bad \(2\.50%\): tokens: raised PanicException 1\n"):
        pit.run(steps(pit), debug=True, limits={"max_bad_fraction": 0.01})
    assert "tokens" not in pit.outputs()["outputs"]
