"""The quickstart leaves the same bytes whatever runs it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")
pytestmark = pytest.mark.xdist_group("ray")

SMALL = ["--set", "model.steps=4", "--set", "model.model.layers=1", "--set", "model.model.hidden=32"]
"""A model that is trained and scored in seconds: what is compared here is how a run went."""


def stored_files(store: Path) -> dict[str, bytes]:
    """Everything in a store that must not depend on how a run went."""
    kept = ("commits", "files", "datasets", "artifacts")
    return {
        path.relative_to(store).as_posix(): path.read_bytes()
        for name in kept
        for path in sorted((store / name).rglob("*"))
        if path.is_file()
    }


def test_same_bytes_whatever_runs_it(
    quickstart: str, run_corpusmill: Callable[[list[str], Path], dict[str, Any]], tmp_path: Path
) -> None:
    """Inline, Ray with one and with two workers and tiny batches leave the same store, byte for byte."""
    ways = {
        "inline": ["--executor", "inline"],
        "one": ["--executor", "ray", "--workers", "1"],
        "two": ["--executor", "ray", "--workers", "2"],
        "tiny": ["--executor", "inline", "--batch-bytes", "65536"],
    }
    stores = {}
    for name, arguments in ways.items():
        out, store = tmp_path / f"out-{name}", tmp_path / name
        apart = ["--set", f"export.path={out}", "--store", str(store)]
        run_corpusmill([quickstart, *arguments, *SMALL, *apart], tmp_path)
        stores[name] = stored_files(store)
        exported = sorted(path for path in out.rglob("*") if path.is_file())
        stores[name].update({f"export/{path.relative_to(out)}": path.read_bytes() for path in exported})
    calm = stores.pop("inline")
    for name, found in stores.items():
        assert found.keys() == calm.keys(), name
        assert [path for path in calm if found[path] != calm[path]] == [], name
