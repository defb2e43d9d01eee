"""annotate.perplexity: one value a document, whatever stands beside it."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from corpusmill import Context

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from corpusmill_plugins.annotators.perplexity import Perplexity  # noqa: E402


def build(model: Any, **options: Any) -> Perplexity:
    operator = Perplexity(Perplexity.Options(**options), Context(inputs={"model": model}, device="cpu"))
    operator.setup()
    return operator


def annotate(operator: Perplexity, texts: list[str | None]) -> list[float | None]:
    batch = pa.record_batch({"text": pa.array([None, *texts], pa.large_string())}).slice(1)
    column = operator.annotate(batch)[operator.options.output]
    assert column.type == pa.float64()
    return column.to_pylist()


def test_value_equals_a_plain_recomputation(model: Any) -> None:
    """exp of the mean loss of the document's tokens behind the end token, by transformers and float64."""
    text = "the miller 喜欢喝茶"
    tokenizer = transformers.AutoTokenizer.from_pretrained(str(model.path))
    ids = torch.tensor([tokenizer.eos_token_id, *tokenizer(text)["input_ids"]])
    assert len(ids) < 17
    network = transformers.AutoModelForCausalLM.from_pretrained(str(model.path)).eval()
    with torch.no_grad():
        logs = network(input_ids=ids[None, :-1]).logits[0].double().log_softmax(-1)
    expected = math.exp(-float(logs[torch.arange(len(ids) - 1), ids[1:]].mean()))
    assert annotate(build(model), [text])[0] == pytest.approx(expected, rel=1e-5)


def test_nothing_to_predict_is_null(model: Any) -> None:
    """Empty text and null have no perplexity; their neighbours keep theirs."""
    operator = build(model)
    assert annotate(operator, ["", None, "a baker"])[:2] == [None, None]
    assert annotate(operator, ["", None, "a baker"])[2] == annotate(operator, ["a baker"])[0]


@pytest.fixture(scope="module")
def texts() -> list[str | None]:
    """Documents of very different lengths, some longer than the model's context of 16."""
    return [None if n % 13 == 5 else ("the old judge reads 茶 " * (n % 9) + "x" * n) for n in range(40)]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=15)
@given(cuts=st.lists(st.integers(1, 15), min_size=1, max_size=6))
def test_batches_do_not_matter(cuts: list[int], model: Any, texts: list[str | None]) -> None:
    """Any cut of the rows into batches gives the same column to the last bit."""
    operator = build(model)
    whole, start, found = annotate(operator, texts), 0, []
    for rows in [*cuts, len(texts)]:
        found += annotate(operator, texts[start : start + rows]) if texts[start : start + rows] else []
        start += rows
    assert found == whole


def test_threads_and_copies_do_not_matter(model: Any, texts: list[str | None]) -> None:
    """Another copy of the model, in a process with another number of torch threads, gives the same column."""
    first, before = annotate(build(model), texts), torch.get_num_threads()
    torch.set_num_threads(before + 1)
    try:
        assert annotate(build(model), texts) == first
        assert torch.get_num_threads() == before + 1
    finally:
        torch.set_num_threads(before)


def test_first_tokens_only(model: Any) -> None:
    """With max_tokens a long document is worth what its beginning is worth."""
    operator = build(model, max_tokens=1, output="start")
    assert annotate(operator, ["x", "x marks the spot", "x" * 50])[0] == annotate(operator, ["x marks the spot"])[0]


def test_spelt_special_tokens_are_text(model: Any) -> None:
    """A document that spells the end token is scored as these characters, not as the end of a document."""
    scorer = build(model)._scorer
    assert scorer.encode(["<|endoftext|>"])[0].tolist().count(0) == 1


def test_decimals_and_name(model: Any) -> None:
    """The column has the asked name and decimals, and `adds` declares it."""
    operator = build(model, output="surprise", decimals=2)
    (value,) = annotate(operator, ["a baker sees the river"])
    assert value == round(value, 2)
    assert operator.adds() == {"surprise": pa.float64()}
    assert Perplexity.needs_model()


def test_model_and_inputs_come_from_the_context(model: Any) -> None:
    """An operator that was not set up loads its model on first use."""
    operator = Perplexity(None, Context(inputs={"model": SimpleNamespace(path=model.path)}))
    assert annotate(operator, ["a baker"]) == annotate(build(model), ["a baker"])
