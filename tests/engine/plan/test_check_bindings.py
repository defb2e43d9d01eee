"""What a checked spec holds: bindings, labels, schemas, order."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from corpusmill.errors import SpecError
from corpusmill.plan.check import check
from corpusmill.plan.checked import CheckedSpec

FOLDER = Path(__file__).parents[2] / "golden" / "check"
PAGES = {"id": "pages", "uses": "read.toy", "with": {"paths": "data/*.jsonl"}}
ENGINE = {"id": pa.string(), "text": pa.large_string(), "source": pa.large_string(), "file": pa.large_string()}


@pytest.fixture(autouse=True)
def _in_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(FOLDER)


def checked(*steps: dict[str, Any], **arguments: Any) -> CheckedSpec:
    spec = {"corpusmill": 1, "name": "toy", "plugins": ["./toy_operators.py"], "steps": [PAGES, *steps]}
    return check(spec, blocked=("corpusmill",), **arguments)


def inputs(spec: CheckedSpec, step: str) -> dict[str, list[str]]:
    return {port: [ref.text for ref in refs] for port, refs in spec.step(step).inputs.items()}


def test_the_required_port_takes_the_step_before() -> None:
    """Without `needs`, the one required port is bound to the step directly before."""
    spec = checked({"id": "a", "uses": "filter.short"}, {"id": "b", "uses": "dedup.exact"})
    assert inputs(spec, "pages") == {}
    assert inputs(spec, "a") == {"documents": ["pages"]}
    assert inputs(spec, "b") == {"documents": ["a"]}


def test_unions_keep_list_order() -> None:
    """A list on a documents port is a union, in the order of the list, also without naming the port."""
    spec = checked({"id": "a", "uses": "filter.short"}, {"id": "b", "uses": "filter.short", "needs": ["a", "pages"]})
    assert inputs(spec, "b") == {"documents": ["a", "pages"]}


def test_outputs_and_labels_are_told_apart() -> None:
    """The name after the id is an output where there is one of that name, else a label; both may be given."""
    spec = checked(
        {"id": "halves", "uses": "split.halves"},
        {"id": "short", "uses": "filter.short"},
        {"id": "a", "uses": "filter.short", "needs": ["short.removed", "short.train", "short.removed.validation"]},
    )
    refs = spec.step("a").inputs["documents"]
    assert [(ref.output, ref.split) for ref in refs] == [("removed", None), (None, "train"), ("removed", "validation")]


def test_labels_travel_with_the_rows() -> None:
    """Row-wise steps keep labels, a selection narrows them, packing keeps them, models have none."""
    spec = checked(
        {"id": "halves", "uses": "split.halves"},
        {"id": "short", "uses": "filter.short"},
        {"id": "train", "uses": "filter.short", "needs": "short.train"},
        {"id": "words", "uses": "tokenizer.toy", "needs": "train"},
        {"id": "tokens", "uses": "tokens.pack", "needs": {"documents": "short", "tokenizer": "words"}},
        {"id": "model", "uses": "train.toy", "with": {"steps": 1}},
        {"id": "score", "uses": "evaluate.toy", "needs": {"model": "model", "tokens": ["tokens.validation"]}},
    )
    found = {step.id: step.splits for step in spec.steps}
    assert found["pages"] == ()
    assert found["short"] == ("train", "validation")
    assert found["train"] == ("train",)
    assert found["words"] == ()
    assert found["tokens"] == ("train", "validation")
    assert found["model"] == ()


def test_roles_may_be_given_apart() -> None:
    """`{train: a, validation: b}` binds references to split roles."""
    roles = {"train": "a", "validation": "a"}
    spec = checked(
        {"id": "words", "uses": "tokenizer.toy"},
        {"id": "a", "uses": "tokens.pack", "needs": {"documents": "pages", "tokenizer": "words"}},
        {
            "id": "model",
            "uses": "train.toy",
            "needs": {"tokens": roles},
            "with": {"steps": 1},
        },
    )
    assert [(ref.step, ref.role) for ref in spec.step("model").inputs["tokens"]] == [
        ("a", "train"),
        ("a", "validation"),
    ]


def test_columns_are_followed() -> None:
    """Readers make the engine's columns, annotators add theirs, splits add `split`; models have no schema."""
    spec = checked(
        {"id": "language", "uses": "annotate.language"},
        {"id": "halves", "uses": "split.halves"},
        {"id": "both", "uses": "filter.short", "needs": ["pages", "halves"]},
        {"id": "words", "uses": "tokenizer.toy"},
    )
    assert spec.step("pages").schema == {**ENGINE, "offset": pa.int64()}
    assert spec.step("halves").schema == {**ENGINE, "offset": pa.int64(), "language": pa.string(), "split": pa.string()}
    assert spec.step("both").schema == spec.step("halves").schema
    assert spec.step("words").schema is None


def test_references_elsewhere_are_kept_as_they_are() -> None:
    """`run:` and `store:` cannot be known before the run: nothing is assumed about their columns or labels."""
    against = {"documents": "pages", "against": ["run:old/near.clusters", "store:0123456789abcdef"]}
    spec = checked(
        {"id": "near", "uses": "dedup.exact", "needs": against},
        {"id": "far", "uses": "filter.short", "needs": "run:old/near", "with": {"column_named": "anything"}},
        {"id": "part", "uses": "filter.short", "needs": "far.train"},
    )
    assert inputs(spec, "near")["against"] == ["run:old/near.clusters", "store:0123456789abcdef"]
    assert (spec.step("far").schema, spec.step("far").splits) == (None, None)
    assert spec.step("part").splits == ("train",)


def test_steps_stand_after_what_they_need() -> None:
    """References forward are allowed; the order is file order except where a step must wait."""
    spec = checked(
        {"id": "late", "uses": "filter.short", "needs": "early"},
        {"id": "early", "uses": "filter.short", "needs": "pages"},
        {"id": "last", "uses": "filter.short"},
    )
    assert [step.id for step in spec.steps] == ["pages", "early", "late", "last"]


def test_until_keeps_a_step_and_its_ancestors() -> None:
    """Nothing else is left; a name that is no step is a problem."""
    steps = [{"id": name, "uses": "filter.short", "needs": "pages"} for name in ("a", "b")]
    assert [step.id for step in checked(*steps, until="b").steps] == ["pages", "b"]
    with pytest.raises(SpecError, match="unknown step 'c' in --until"):
        checked(*steps, until="c")


def test_a_shallow_check_touches_no_files() -> None:
    """`deep=False` lets a spec pass whose inputs are elsewhere."""
    step = {"id": "far", "uses": "read.toy", "with": {"paths": "nowhere/*.jsonl"}}
    assert checked(step, deep=False).step("far").schema is not None
    with pytest.raises(SpecError, match="no file matches"):
        checked(step)


def test_options_are_validated_instances() -> None:
    """Sizes are numbers, defaults are filled in, resources are laid over the operator's."""
    step = {"id": "a", "uses": "filter.short", "with": {"buffer": "2 MiB"}, "resources": {"cpus": 2}}
    found = checked(step).step("a")
    assert found.options.buffer == 2 << 20  # type: ignore[attr-defined]
    assert found.options.min_words == 50  # type: ignore[attr-defined]
    assert found.resources == {"cpus": 2.0}
    assert found.kind == "filter"
