"""Scratch of dead workers goes when it is a day old, and nothing else goes."""

from __future__ import annotations

import os
import time
from pathlib import Path

from corpusmill.runner.leftovers import OLD, clean_scratch


def test_only_what_is_old_goes(tmp_path: Path) -> None:
    """Files, breadcrumbs and work folders are judged one by one, a folder by the newest thing in it."""
    old, young = ["1-a.arrow", "crumbs/k1", "work/w1/events.jsonl"], ["2-b.arrow", "crumbs/k2", "work/w2/new", "stop"]
    for name in (*old, *young, "work/w2/old"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    long_ago = time.time() - OLD - 60
    for name in (*old, "work/w1", "work/w2/old", "work/w2", "work", "crumbs"):
        os.utime(tmp_path / name, (long_ago, long_ago))
    assert clean_scratch(tmp_path) == 3
    assert not any((tmp_path / name).exists() for name in old)
    assert all((tmp_path / name).exists() for name in (*young, "work/w2/old"))
    assert clean_scratch(tmp_path / "nowhere") == 0
