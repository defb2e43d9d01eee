"""Files of an object store are looked for with few requests, and never held to be there or gone for ever."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from corpusmill.dataset import presence
from corpusmill.dataset.presence import Presence
from corpusmill.dataset.storage import open_storage
from corpusmill.dataset.store import FileRef, Store
from corpusmill.errors import StoreError


class Counting:
    """A storage that counts what is asked of it."""

    def __init__(self, inner: Any):
        self._inner, self.asked = inner, Counter[str]()

    def __getattr__(self, name: str) -> Any:
        self.asked[name] += 1
        return getattr(self._inner, name)


@pytest.fixture
def storage(tmp_path: Path) -> Counting:
    """An object store with 300 files in three folders."""
    opened = open_storage(f"object://{tmp_path / 'store'}")
    for number in range(300):
        opened.put(f"files/a{number % 3}/{number}.arrow", b"")
    return Counting(opened)


def test_many_files_cost_few_requests(storage: Counting) -> None:
    """Three hundred files: some looked at one by one, then each folder listed once."""
    there = Presence(storage)  # type: ignore[arg-type]
    assert all(there(f"files/a{number % 3}/{number}.arrow") for number in range(300))
    assert (storage.asked["exists"], storage.asked["list"]) == (presence.FEW, 3)


def test_few_files_are_not_listed(storage: Counting) -> None:
    """A small run in a large store does not read its folders."""
    there = Presence(storage)  # type: ignore[arg-type]
    assert all(there(f"files/a{number % 3}/{number}.arrow") for number in range(20))
    assert storage.asked["list"] == 0


def test_what_was_written_since_is_found(storage: Counting) -> None:
    """A folder that was listed before a file came into it does not hide the file."""
    there = Presence(storage)  # type: ignore[arg-type]
    assert all(there(f"files/a{number % 3}/{number}.arrow") for number in range(300))
    assert not there("files/a1/new.arrow")
    storage.put("files/a1/new.arrow", b"")
    assert there("files/a1/new.arrow")


def test_what_was_removed_since_is_met_when_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that went after it was seen: an error that says so, and another process finds it missing."""
    monkeypatch.setattr(presence, "FEW", 0)
    store = Store(f"object://{tmp_path / 'store'}")
    scratch = store.scratch()
    scratch.write_bytes(b"bytes")
    file = store.publish(scratch)
    assert store.has_files([file])
    store.storage.delete(file.name)
    with pytest.raises(StoreError, match="is gone"):
        store.path(file)
    assert not Store(store.uri).has_files([file])


def test_a_file_that_was_never_there_is_missing(storage: Counting) -> None:
    """One missing file among many is told, before and after folders are listed."""
    there = Presence(storage)  # type: ignore[arg-type]
    missing = FileRef("f" * 32, 1).name
    assert not there(missing)
    assert all(there(f"files/a{number % 3}/{number}.arrow") for number in range(300))
    assert not there(missing)
