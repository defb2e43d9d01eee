"""Whatever a spec holds, the check answers with problems or a checked spec, never with a crash."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from corpusmill.errors import SpecError
from corpusmill.plan.check import check
from corpusmill.plan.checked import CheckedSpec

FOLDER = Path(__file__).parents[2] / "golden" / "check"
PLUGIN = str(FOLDER / "toy_operators.py")
FILTERS = ("filter.short", "annotate.language", "split.halves", "dedup.exact")
USES = (*FILTERS, "read.toy", "tokens.pack", "train.toy", "evaluate.toy", "write.toy")
NAMES = ("a", "b", "c")
REFERENCES = st.sampled_from((*NAMES, "a.train", "b.removed", "c.removed.test", "run:x/a", "store:0123456789", "A", ""))
PORTS = st.sampled_from(("documents", "tokens", "model", "tokenizer", "against", "x"))
JUNK = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.floats() | st.text(max_size=4) | REFERENCES,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4) | PORTS, inner, max_size=2),
    max_leaves=4,
)
NEEDS = REFERENCES | st.lists(REFERENCES, max_size=3) | st.dictionaries(PORTS, REFERENCES | st.lists(REFERENCES)) | JUNK
VALUES = dict.fromkeys(("path", "min_words", "steps", "words"), JUNK) | {"paths": JUNK | st.just(PLUGIN)}
OPTIONS = st.fixed_dictionaries({}, optional=VALUES)
STEP = st.fixed_dictionaries(
    {"uses": st.sampled_from(USES) | JUNK},
    optional={
        "id": st.sampled_from(NAMES) | JUNK,
        "needs": NEEDS,
        "with": OPTIONS | JUNK,
        "column": JUNK,
        "keep": JUNK,
        "resources": JUNK,
        "limits": JUNK,
    },
)
PAGES = {"id": "a", "uses": "read.toy", "with": {"paths": PLUGIN}}
LIKELY = st.fixed_dictionaries(
    {"uses": st.sampled_from(FILTERS)}, optional={"id": st.sampled_from(NAMES), "needs": NEEDS}
)
STEPS = st.lists(STEP | LIKELY, max_size=4) | st.lists(LIKELY, max_size=3).map(lambda steps: [PAGES, *steps])
TOP = st.fixed_dictionaries(
    {"steps": STEPS | JUNK},
    optional={"seed": JUNK, "params": JUNK, "limits": JUNK, "run": JUNK, "search": JUNK, "store": JUNK},
)


@given(TOP)
@settings(max_examples=150)
def test_the_check_never_crashes(spec: dict[str, Any]) -> None:
    """Any mixture of plausible and absurd values is answered; each problem can be shown."""
    whole = {"corpusmill": 1, "name": "toy", "plugins": [PLUGIN], **spec}
    try:
        checked = check(whole, blocked=("corpusmill",), environment={})
    except SpecError as refused:
        error = refused
    else:
        holds(checked)
        return
    assert str(error)
    assert error.problems


def holds(checked: CheckedSpec) -> None:
    """Required ports are bound, and no step stands before one it needs."""
    places = {step.id: index for index, step in enumerate(checked.steps)}
    for index, step in enumerate(checked.steps):
        assert all(name in step.inputs for name, port in step.operator.ports().items() if port.required)
        local = [ref.step for refs in step.inputs.values() for ref in refs if ref.local]
        assert all(places[str(name)] < index for name in local)
