"""`Dataset.to_ray`: blocks are read by tasks from the store's files."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from corpusmill.face.running import Run

ray = pytest.importorskip("ray")
pytest.importorskip("pandas")


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    """A local cluster, unless there is one."""
    from corpusmill.runner.ray_executor import connect

    own = connect(None, 2)
    yield
    if own:
        ray.shutdown()


def test_ray_gets_the_same_rows(done: Run, cluster: None) -> None:
    """All rows and columns, one block a file; of one split and some columns when narrowed; the count needs no read."""
    dataset = done.dataset("split")
    blocks = dataset.to_ray()
    assert blocks.count() == len(dataset)
    rows = sorted(blocks.take_all(), key=lambda row: row["id"])
    assert rows == sorted(dataset.to_arrow().to_pylist(), key=lambda row: row["id"])
    narrow = dataset.split("test").select(["stars", "text"]).to_ray()
    assert narrow.schema().names == ["stars", "text"]
    assert narrow.count() == dataset.splits["test"] == len(narrow.take_all())
