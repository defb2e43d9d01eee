"""Nodes of a cluster that do not see the store are told before any work, not found out by losing it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from corpusmill.errors import ExecutorError
from corpusmill.runner import ray_nodes

NODES = [
    {"Alive": True, "Resources": {"CPU": 4.0}, "NodeID": "a", "NodeManagerAddress": "10.0.0.1"},
    {"Alive": True, "Resources": {"CPU": 4.0}, "NodeID": "b", "NodeManagerAddress": "10.0.0.2"},
    {"Alive": False, "Resources": {"CPU": 4.0}, "NodeID": "c", "NodeManagerAddress": "10.0.0.3"},
    {"Alive": True, "Resources": {}, "NodeID": "d", "NodeManagerAddress": "10.0.0.4"},
]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Stands in for a cluster: `asked["sees"]` says which of its nodes see the mark."""
    answers: dict[str, Any] = {"sees": {"a": True, "b": True}, "marks": []}

    def ask(nodes: list[Any], mark: Path) -> list[bool]:
        answers["marks"].append((mark, ray_nodes.sees(str(mark))))
        return [answers["sees"][node["NodeID"]] for node in nodes]

    monkeypatch.setattr(ray_nodes.ray, "nodes", lambda: NODES)
    monkeypatch.setattr(ray_nodes, "_asked", ask)
    return answers


def test_a_node_that_does_not_see_the_store_is_named(asked: dict[str, Any], tmp_path: Path) -> None:
    """Address, store and remedy are in the error; the mark that was looked for is gone again."""
    asked["sees"]["b"] = False
    with pytest.raises(ExecutorError, match="1 of 2 nodes do not see the store") as caught:
        ray_nodes.expect_shared({"store": str(tmp_path / "store")})
    assert "10.0.0.2" in str(caught.value)
    assert "10.0.0.1" not in str(caught.value)
    assert "mounted at the same path" in str(caught.value)
    ((mark, seen),) = asked["marks"]
    assert seen
    assert not mark.exists()


def test_nodes_that_see_it_are_let_alone(asked: dict[str, Any], tmp_path: Path) -> None:
    """Dead nodes and nodes without CPUs are not asked: no work goes there."""
    ray_nodes.expect_shared({"store": str(tmp_path / "store")})
    assert len(asked["marks"]) == 1


def test_an_object_store_needs_no_mount(asked: dict[str, Any], tmp_path: Path) -> None:
    """Every node reaches it by its address."""
    ray_nodes.expect_shared({"store": f"object://{tmp_path}/store"})
    assert asked["marks"] == []
