"""What holds of S3 beside the contract of storages: parts and ranges, errors in our words, nothing secret kept."""

from __future__ import annotations

import random
import sys
import uuid
from datetime import timedelta
from pathlib import Path

import pytest

from corpusmill.dataset import cloud_client, object_cache
from corpusmill.dataset.object_storage import ObjectStorage
from corpusmill.dataset.storage import open_storage
from corpusmill.dataset.store import Store
from corpusmill.errors import StoreError, UsageError


@pytest.fixture
def place(bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URI of an empty prefix; caches lie in the test's folder."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return f"{bucket}/{uuid.uuid4().hex}"


def test_a_long_file_goes_up_in_parts_and_comes_down_in_ranges(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file of several parts is one object with its bytes, wherever parts and ranges end."""
    monkeypatch.setattr(cloud_client, "PART", 5 << 20)
    monkeypatch.setattr(object_cache, "RANGE", 4 << 20)
    data = random.Random(1).randbytes((11 << 20) + 7)
    (tmp_path / "built").write_bytes(data)
    storage = open_storage(place)
    storage.publish(tmp_path / "built", "files/ab/long.arrow")
    assert storage.size("files/ab/long.arrow") == len(data)
    assert storage.fetch("files/ab/long.arrow").read_bytes() == data
    assert storage.read_range("files/ab/long.arrow", len(data) - 7, len(data) + 100) == data[-7:]
    assert storage.read_range("files/ab/long.arrow", len(data), len(data) + 100) == b""


def test_a_damaged_copy_is_fetched_anew(place: str, tmp_path: Path) -> None:
    """A flipped byte in the cache of this machine costs a download; the object is not blamed."""
    store = Store(place)
    scratch = store.scratch()
    scratch.write_bytes(b"what was published")
    reference = store.publish(scratch)
    copy = store.storage.fetch(reference.name)
    copy.write_bytes(b"what was publishes")
    assert Store(place).path(reference).read_bytes() == b"what was published"
    assert store.storage.exists(reference.name)


def test_an_empty_object_is_one(place: str) -> None:
    """No bytes are bytes: put, read, fetched."""
    storage = open_storage(place)
    storage.put("artifacts/x/empty", b"")
    assert (storage.read("artifacts/x/empty"), storage.fetch("artifacts/x/empty").read_bytes()) == (b"", b"")


def test_a_cache_makes_room(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a disk that is short of space what was not used for longest is thrown out before more is fetched."""
    storage = open_storage(place)
    for name in ("a", "b"):
        storage.put(f"files/aa/{name}", name.encode() * 100)
    first = storage.fetch("files/aa/a")
    monkeypatch.setattr(object_cache, "SPARE", 1 << 60)
    second = storage.fetch("files/aa/b")
    assert (first.exists(), second.read_bytes()) == (False, b"b" * 100)


def test_without_the_extra_the_error_says_which(monkeypatch: pytest.MonkeyPatch) -> None:
    """A store on S3 without its client: which package is missing, and how to get it."""
    monkeypatch.setitem(sys.modules, "obstore", None)
    with pytest.raises(UsageError, match="obstore") as caught:
        open_storage("s3://bucket/prefix").read("name")
    assert caught.value.hint == "pip install 'corpusmill[s3]'"
    assert caught.value.where
    assert caught.value.expected


@pytest.mark.parametrize("uri", ["s3://key:hunter2@bucket/x", "s3://bucket/x?token=hunter2", "gs://bucket/x#hunter2"])
def test_secrets_in_a_uri_are_refused_and_not_repeated(uri: str) -> None:
    """A store's URI stands in every record of a run: credentials belong into the environment."""
    with pytest.raises(UsageError, match="more than a bucket") as caught:
        open_storage(uri)
    assert "hunter2" not in str(caught.value)


def test_what_travels_to_a_worker_holds_no_connection(place: str) -> None:
    """A client that was used is sent without its credentials and threads."""
    storage = open_storage(place)
    storage.put("name", b"")
    assert isinstance(storage, ObjectStorage)
    assert storage.client.__getstate__() == {"uri": place, "_store": None}  # type: ignore[attr-defined]


def test_a_bucket_that_is_not_there_is_named(s3: str) -> None:
    """Writing into a bucket that does not exist says so, and so does looking what is in it, which a run does first."""
    with pytest.raises(StoreError, match="no bucket 'nowhere'"):
        Store("s3://nowhere/x").record("commits/a", b"{}")
    with pytest.raises(StoreError, match="no bucket 'nowhere'"):
        list(Store("s3://nowhere/x").storage.list("runs/"))


def test_a_server_that_is_silent_is_given_up(s3: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries are bounded: where nobody answers, the error names store, environment and next command."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    backoff = {"init_backoff": timedelta(milliseconds=1), "max_backoff": timedelta(milliseconds=2), "base": 2}
    patience = {"max_retries": 2, "backoff": backoff, "retry_timeout": timedelta(seconds=20)}
    monkeypatch.setattr(cloud_client, "_RETRIES", patience)
    with pytest.raises(StoreError, match="no answer from the object store") as caught:
        open_storage("s3://bucket/prefix").read("name")
    assert "AWS_ENDPOINT_URL" in (caught.value.expected or "")
    assert caught.value.hint == "run the same command again"
