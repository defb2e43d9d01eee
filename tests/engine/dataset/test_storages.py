"""The contract of storages, held by each of them: whole names, conditional puts, no half-written bytes."""

from __future__ import annotations

import errno
import multiprocessing
import os
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from corpusmill.dataset.local_storage import LocalStorage
from corpusmill.dataset.object_storage import ObjectStorage
from corpusmill.dataset.storage import Storage, open_storage
from corpusmill.errors import StoreError, UsageError

NAME = "files/ab/abcdef.arrow"


@pytest.fixture(params=["local", "object", "s3", pytest.param("az", marks=pytest.mark.soak)])
def storage(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Storage:
    """Each storage on a new folder or prefix, its scratch and cache beside it."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    if request.param in ("s3", "az"):
        bucket = request.getfixturevalue(request.param)
        return open_storage(f"{request.param}://{bucket}/{tmp_path.name}-{uuid.uuid4().hex}")
    uri = str(tmp_path / "store")
    return open_storage(uri if request.param == "local" else f"object://{uri}")


def scratch_file(storage: Storage, data: bytes, name: str = "built") -> Path:
    path = storage.scratch() / name
    path.write_bytes(data)
    return path


def leftovers(storage: Storage) -> list[str]:
    """Names that begin with a dot: what a half-done write would leave behind."""
    root = getattr(storage, "root", None) or getattr(storage.client, "root", None)  # type: ignore[attr-defined]
    return [path.name for path in root.rglob(".*") if path.is_file()] if root else []


def test_a_published_file_is_there_whole(storage: Storage) -> None:
    """`publish` takes the file from scratch; `read` and `fetch` give its bytes, `exists` and `list` its name."""
    path = scratch_file(storage, b"some bytes")
    assert not storage.exists(NAME)
    storage.publish(path, NAME)
    assert (storage.exists(NAME), storage.read(NAME), storage.fetch(NAME).read_bytes()) == (True, *[b"some bytes"] * 2)
    assert (list(storage.list("files/")), path.exists(), leftovers(storage)) == ([NAME], False, [])


def test_publishing_again_changes_nothing(storage: Storage) -> None:
    """A worker that does the same work a second time publishes over equal bytes."""
    for attempt in range(2):
        storage.publish(scratch_file(storage, b"same", f"built-{attempt}"), NAME)
    assert (storage.read(NAME), list(storage.list(""))) == (b"same", [NAME])


def test_put_if_absent_writes_once(storage: Storage) -> None:
    """The first put stands; a later one gets the standing bytes and changes nothing."""
    assert storage.put_if_absent("commits/aa/key.json", b"first") is None
    assert storage.put_if_absent("commits/aa/key.json", b"second") == b"first"
    assert storage.put_if_absent("commits/aa/key.json", b"first") == b"first"
    assert (storage.read("commits/aa/key.json"), leftovers(storage)) == (b"first", [])


def test_put_replaces(storage: Storage) -> None:
    """`put` writes or replaces a record at once."""
    storage.put("inputs/index.json", b"one")
    storage.put("inputs/index.json", b"two")
    assert (storage.read("inputs/index.json"), leftovers(storage)) == (b"two", [])


def test_of_many_threads_one_wins(storage: Storage) -> None:
    """Sixteen threads put at once: exactly one is told that it wrote, all others get its bytes."""
    barrier = Barrier(16)

    def put(number: int) -> bytes | None:
        barrier.wait()
        return storage.put_if_absent("commits/key", b"%d" % number)

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(put, range(16)))
    winners = [number for number, answer in enumerate(answers) if answer is None]
    assert len(winners) == 1
    assert {answer for answer in answers if answer is not None} == {b"%d" % winners[0]} == {storage.read("commits/key")}


def _put_in_process(uri: str, number: int, ready: object, told: object) -> None:
    storage = open_storage(uri)
    ready.wait()  # type: ignore[attr-defined]
    told.put((number, storage.put_if_absent("commits/key", b"%d" % number)))  # type: ignore[attr-defined]


def test_of_many_processes_one_wins(storage: Storage) -> None:
    """Four processes put at once: exactly one is told that it wrote, all others get its bytes."""
    if storage.uri.startswith(("s3", "az")):
        pytest.skip("a forked process has not the threads of the client; the threads above race on the server")
    context = multiprocessing.get_context("fork")
    barrier, answers = context.Barrier(4), context.Queue()
    workers = [
        context.Process(target=_put_in_process, args=(storage.uri, number, barrier, answers)) for number in range(4)
    ]
    for worker in workers:
        worker.start()
    told = dict(answers.get(timeout=60) for _ in workers)
    for worker in workers:
        worker.join()
    winners = [number for number, answer in told.items() if answer is None]
    assert len(winners) == 1
    assert set(told.values()) == {None, b"%d" % winners[0]}


def test_what_is_not_there_is_said(storage: Storage) -> None:
    """Reading and fetching a missing name raise FileNotFoundError; deleting it is no error."""
    for call in (storage.read, storage.fetch):
        with pytest.raises(FileNotFoundError):
            call("no/such/name")
    storage.delete("no/such/name")
    assert (storage.exists("no/such/name"), list(storage.list("no/"))) == (False, [])


def test_a_deleted_name_is_free_again(storage: Storage) -> None:
    """After `delete` the name is gone for all calls, and can be put if absent."""
    storage.put_if_absent("commits/key", b"first")
    storage.delete("commits/key")
    assert not storage.exists("commits/key")
    assert storage.put_if_absent("commits/key", b"second") is None


def test_a_list_is_sorted_and_only_of_its_prefix(storage: Storage) -> None:
    """Names under a folder in order, and no others; scratch and half-written files are not names."""
    names = ["commits/b/2", "commits/a/1", "commits/a/0", "datasets/x/manifest.json"]
    for name in names:
        storage.put(name, b"")
    scratch_file(storage, b"being built")
    assert list(storage.list("commits/")) == ["commits/a/0", "commits/a/1", "commits/b/2"]


def test_a_replaced_object_is_fetched_anew(storage: Storage) -> None:
    """A fetch after a replacement of the same size gives the new bytes, not those of a cache."""
    storage.put("artifacts/x/file", b"old!")
    assert storage.fetch("artifacts/x/file").read_bytes() == b"old!"
    storage.put("artifacts/x/file", b"new!")
    assert storage.fetch("artifacts/x/file").read_bytes() == b"new!"


def test_scratch_is_a_folder_on_this_machine(storage: Storage) -> None:
    """Files are built in a local folder that exists."""
    assert storage.scratch().is_dir()


def test_publishing_across_file_systems_copies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a rename cannot cross, the bytes are copied beside their place first and renamed there."""
    storage = LocalStorage(tmp_path / "store")
    outside = tmp_path / "elsewhere"
    outside.write_bytes(b"from another disk")
    rename = os.replace

    def only_within(source: Path, target: Path) -> None:
        if Path(source).parent != Path(target).parent:
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        rename(source, target)

    monkeypatch.setattr(os, "replace", only_within)
    storage.publish(outside, NAME)
    assert (storage.read(NAME), outside.exists(), leftovers(storage)) == (b"from another disk", False, [])


def test_an_upload_that_arrives_damaged_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An object store compares what arrived with what was sent; a damaged upload gets no name."""
    storage = open_storage(f"object://{tmp_path / 'store'}")
    path = tmp_path / "built"
    path.write_bytes(b"whole")
    monkeypatch.setattr("shutil.copyfile", lambda source, target: Path(target).write_bytes(b"cut"))
    with pytest.raises(StoreError, match="arrived damaged"):
        storage.publish(path, NAME)
    assert (storage.exists(NAME), path.exists(), leftovers(storage)) == (False, True, [])


def test_names_of_an_object_store_are_flat(tmp_path: Path) -> None:
    """Any characters may stand in a name; nothing escapes the store."""
    storage = open_storage(f"object://{tmp_path / 'store'}")
    for name in ("a/../../b", "with space/ü", "%2F"):
        storage.put(name, name.encode())
        assert storage.read(name) == name.encode()
    assert sorted(storage.list("")) == ["%2F", "a/../../b", "with space/ü"]
    assert [path.name for path in tmp_path.iterdir()] == ["store"]


@pytest.mark.parametrize(
    ("uri", "kind"), [("{}", LocalStorage), ("file://{}", LocalStorage), ("object://{}", ObjectStorage)]
)
def test_a_uri_says_which_storage(tmp_path: Path, uri: str, kind: type) -> None:
    """A path and file:// are a file system, object:// an object store; the URI told opens the same place again."""
    storage = open_storage(uri.format(tmp_path / "store"))
    assert type(storage) is kind
    storage.put("name", b"there")
    assert open_storage(storage.uri).read("name") == b"there"


def test_an_unknown_scheme_is_refused() -> None:
    """A scheme nobody knows is an error that says what is known."""
    with pytest.raises(UsageError, match="'ftp'") as caught:
        open_storage("ftp://example.org/store")
    assert "object://PATH" in (caught.value.expected or "")


@pytest.mark.parametrize(
    "uri",
    [
        "object://user:hunter2@host/store",
        "object://hunter2@host/store",
        "file://user:hunter2@host/store",
        "ftp://user:hunt/er2@host/store",
        "s3://user:hunter2@bucket/store",
    ],
)
def test_a_password_in_a_uri_is_refused_and_not_repeated(uri: str) -> None:
    """It would stand in every record and be told to every observer of a run."""
    with pytest.raises(UsageError, match="the store URI") as caught:
        open_storage(uri)
    assert "hunt" not in str(caught.value)
    assert caught.value.hint


def test_an_at_sign_in_a_path_is_no_password(tmp_path: Path) -> None:
    """Folders may be called what they like."""
    for uri in (f"{tmp_path}/a@b", f"object://{tmp_path}/a:b@c", f"file://{tmp_path}/x@y"):
        storage = open_storage(uri)
        storage.put("commits/key", b"data")
        assert storage.read("commits/key") == b"data"


@pytest.mark.parametrize("below", ["", "/store", "/deep/store"])
@pytest.mark.parametrize("scheme", ["", "file://", "object://"])
def test_a_file_in_the_way_is_told_as_one(tmp_path: Path, scheme: str, below: str) -> None:
    """Which file, what was expected, what to do; it stays as it is."""
    file = tmp_path / "store"
    file.write_bytes(b"mine")
    with pytest.raises(StoreError, match="is a file") as caught:
        open_storage(f"{scheme}{file}{below}")
    assert repr(str(file)) in caught.value.what
    assert caught.value.where
    assert caught.value.expected
    assert caught.value.hint
    assert file.read_bytes() == b"mine"
