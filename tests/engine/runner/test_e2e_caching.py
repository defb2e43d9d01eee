"""What is not done again: a kept step shields those before it, and only what changes a result costs work."""

from __future__ import annotations

from typing import Any

import pytest


def ten(mill: Any, *, seventh: str = "g") -> list[dict[str, Any]]:
    """A reader and ten counting operators, the sixth kept."""
    steps = [{"id": "read", "uses": "read.jsonl", "with": {"paths": "data/*.jsonl"}}]
    for number in range(1, 11):
        step = mill.mark(f"op-{number}")
        step["with"]["word"] = seventh if number == 7 else step["id"]
        steps.append(step)
    steps[6]["keep"] = True
    return steps


@pytest.fixture
def filled(mill: Any) -> Any:
    """A mill with two small files."""
    mill.jsonl("data/a.jsonl", mill.texts(20, 1))
    mill.jsonl("data/b.jsonl", mill.texts(20, 2))
    return mill


def test_a_kept_step_shields_the_operators_before_it(filled: Any) -> None:
    """`keep: true` on step 6 of ten and a change of step 7: operators 1 to 6 are not called, 7 to 10 are."""
    filled.run(ten(filled))
    assert set(filled.calls()) == {f"op-{number}" for number in range(1, 11)}
    result = filled.run(ten(filled, seventh="other"))
    assert set(filled.calls()) == {"op-7", "op-8", "op-9", "op-10"}
    text = filled.rows(result.outputs["outputs"]["op-10"]["digest"])[0]["text"]
    assert text.endswith("MARKop-6 MARKother MARKop-8 MARKop-9 MARKop-10")


def test_a_rerun_calls_no_operator(filled: Any) -> None:
    """The same spec again gives the same outputs and counts without a single call."""
    first = filled.run(ten(filled)).outputs
    filled.calls()
    second = filled.run(ten(filled)).outputs
    assert not filled.calls()
    assert second["outputs"] == first["outputs"]
    rows = [{name: value for name, value in one.items() if name != "seconds"} for one in first["counts"].values()]
    again = [{name: value for name, value in one.items() if name != "seconds"} for one in second["counts"].values()]
    assert again == rows


def base(mill: Any) -> list[dict[str, Any]]:
    """A reader, a cleaner, an annotator that uses the seed, a filter."""
    log = {"log": str(mill.log)}
    return [
        {"id": "read", "uses": "read.jsonl", "with": {"paths": "data/*.jsonl"}},
        mill.mark("one"),
        {"id": "short", "uses": "filter.short", "with": {"most": 900, **log}},
    ]


def renamed(steps: list[dict[str, Any]]) -> None:
    steps[0]["with"]["input"] = steps[0]["id"]  # the one name that is part of the ids made from places
    for step in steps:
        step["id"] = f"new-{step['id']}"


FREE = {
    "ids": lambda steps, top: renamed(steps),
    "resources": lambda steps, top: steps[1].update(resources={"cpus": 2, "memory": "2 GB"}),
    "limits": lambda steps, top: top.update(limits={"max_bad_fraction": 0.5, "deadline": "9 s"}),
    "keep": lambda steps, top: steps[-1].update(keep=True),
    "run settings": lambda steps, top: top.update(run={"batch_bytes": "64 KB", "in_flight": 3}),
    "the name of the spec": lambda steps, top: top.update(name="other"),
    "a seed that nothing uses": lambda steps, top: top.update(seed=9),
    "an option without effect": lambda steps, top: steps[0]["with"].update(paths=["data/a.jsonl", "data/b.jsonl"]),
}


@pytest.mark.parametrize("what", FREE)
def test_what_changes_no_result_costs_nothing(filled: Any, what: str) -> None:
    """Ids, resources, limits, keep, run settings, names and unused seeds are in no key."""
    first = filled.run(base(filled)).outputs["outputs"]["short"]
    filled.calls()
    steps, top = base(filled), {}
    FREE[what](steps, top)
    last = filled.run(steps, **top).outputs["outputs"][steps[-1]["id"]]
    assert not filled.calls()
    assert last["digest"] == first["digest"]


def test_an_option_is_in_the_key(filled: Any) -> None:
    """An option that can change rows runs the pass again."""
    filled.run(base(filled))
    filled.calls()
    steps = base(filled)
    steps[2]["with"]["most"] = 901
    filled.run(steps)
    assert set(filled.calls()) == {"one", "short"}


def test_a_seed_counts_where_it_is_used(filled: Any) -> None:
    """Another seed runs the pass with the operator that uses it again, and no other."""
    steps = base(filled)
    steps[-1]["keep"] = True
    steps.append({"id": "number", "uses": "annotate.random", "with": {"log": str(filled.log)}})
    before = filled.run(steps, seed=1).outputs["outputs"]
    filled.calls()
    after = filled.run(steps, seed=2).outputs["outputs"]
    assert set(filled.calls()) == {"number"}
    assert after["short"]["digest"] == before["short"]["digest"]
    assert after["number"]["digest"] != before["number"]["digest"]


def test_the_source_of_a_plugin_file_is_in_the_key(filled: Any) -> None:
    """A changed line of a local plugin runs what it registers again."""
    filled.run(base(filled))
    filled.calls()
    plugin = filled.root / "counting.py"
    plugin.write_text(plugin.read_text().replace('f"MARK{', 'f"MORE{'))
    result = filled.run(base(filled))
    assert set(filled.calls()) == {"one", "short"}
    assert filled.rows(result.outputs["outputs"]["short"]["digest"])[0]["text"].endswith("MOREone")


def test_a_change_that_changes_no_byte_stops_there(filled: Any) -> None:
    """A threshold that removes nothing more reruns its own pass, not the one behind it."""
    steps = base(filled)
    steps[-1]["keep"] = True
    steps.append(filled.mark("after"))
    filled.run(steps)
    filled.calls()
    steps[2]["with"]["most"] = 950
    filled.run(steps)
    assert set(filled.calls()) == {"one", "short"}


def test_two_specs_share_a_store(filled: Any) -> None:
    """Another spec with the same first steps takes the first one's work."""
    steps = base(filled)
    steps[-1]["keep"] = True
    filled.run(steps)
    filled.calls()
    filled.run([*steps, filled.mark("more")], name="another")
    assert set(filled.calls()) == {"more"}
