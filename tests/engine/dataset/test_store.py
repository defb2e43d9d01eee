"""The store: files by content, commits that stand, damage found, artifacts published whole; on each storage."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from corpusmill.dataset.artifact import artifact_folder, open_artifact, publish_artifact
from corpusmill.dataset.hashing import canonical_json, hash_file, hash_json
from corpusmill.dataset.store import FileRef, Store, make_key
from corpusmill.errors import ChecksumError, NotDeterministicError, StoreError


@pytest.fixture(params=["local", "object"])
def uri(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A new store's URI; scratch and cache lie beside it."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return str(tmp_path / "store") if request.param == "local" else f"object://{tmp_path}/store"


@pytest.fixture
def store(uri: str) -> Store:
    return Store(uri)


def publish(store: Store, data: bytes) -> FileRef:
    path = store.scratch(".arrow")
    path.write_bytes(data)
    return store.publish(path)


def stored(store: Store, name: str) -> Path:
    """The file in which a storage keeps a name, behind its back."""
    root = Path(store.uri.removeprefix("object://"))
    flat = root / name.replace("/", "%2F")
    return flat if flat.exists() else root / name


def flip(path: Path, at: int = 0) -> None:
    """Flip one bit of a file in place."""
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


def test_a_file_is_named_by_its_content(store: Store) -> None:
    """The same bytes get the same name, and give it back through JSON."""
    one, again = publish(store, b"content"), publish(store, b"content")
    assert one == again == FileRef.from_json(one.to_json())
    assert (store.path(one).read_bytes(), one.bytes) == (b"content", 7)
    assert list(store.storage.list("files/")) == [one.name]


def test_a_flipped_bit_is_found(uri: str) -> None:
    """A process that did not write the file itself checks it before the first use; what it has is never damaged."""
    reference = publish(Store(uri), b"content")
    store = Store(uri)
    flip(stored(store, reference.name), 3)
    with pytest.raises(ChecksumError, match=reference.checksum[:8]) as caught:
        store.path(reference)
    assert reference.checksum in (caught.value.expected or "")


def test_a_cut_file_is_found(uri: str) -> None:
    """A file that lost its end is damaged too."""
    reference = publish(Store(uri), b"content")
    store = Store(uri)
    stored(store, reference.name).write_bytes(b"cont")
    with pytest.raises(ChecksumError):
        store.path(reference)


def test_a_file_that_is_gone_is_told(store: Store) -> None:
    """A commit may name a file that somebody deleted: a store error with what to do, and `has_files` says no."""
    reference = publish(store, b"content")
    assert store.has_files([reference])
    store.storage.delete(reference.name)
    assert not store.has_files([reference])
    with pytest.raises(StoreError, match="gone") as caught:
        store.path(reference)
    assert "run the pipeline again" in (caught.value.hint or "")


def test_a_commit_stands(store: Store) -> None:
    """The record under a key is the first one; the same again is no error, none is None."""
    key = make_key("pass", "fingerprint")
    assert store.committed(key) is None
    assert store.commit(key, {"part": 1}) == {"part": 1}
    assert store.commit(key, {"part": 1}) == store.committed(key) == {"part": 1}


def test_another_record_for_a_key_names_the_operator(store: Store) -> None:
    """Exact work that gives other bytes is an error: which operator, what differs, and nothing changes."""
    store.commit("ab12", {"part": 1, "ledger": 5})
    with pytest.raises(NotDeterministicError, match=r"filter\.shaky") as caught:
        store.commit("ab12", {"part": 2, "ledger": 5}, operators="filter.shaky")
    assert caught.value.where == "differs in: part"
    assert store.committed("ab12") == {"part": 1, "ledger": 5}


def test_for_models_the_first_record_stands(store: Store) -> None:
    """Work that is not exact may differ between machines: the standing record is returned."""
    store.commit("ab12", {"part": 1})
    assert store.commit("ab12", {"part": 2}, exact=False) == {"part": 1}


def test_a_forgotten_commit_is_made_again(store: Store) -> None:
    """After `forget` there is no record, and another may be committed."""
    store.commit("ab12", {"part": 1})
    store.forget("ab12")
    assert store.committed("ab12") is None
    assert store.commit("ab12", {"part": 2}) == {"part": 2}


def test_keys_depend_on_every_ingredient_and_on_nothing_else() -> None:
    """Kind, ingredients and their order make the key; the order of names in a mapping does not."""
    keys = [make_key("pass", 1, 2), make_key("pass", 2, 1), make_key("sketch", 1, 2), make_key("pass", [1, 2])]
    assert len(set(keys)) == 4
    assert make_key("pass", {"a": 1, "b": 2}) == make_key("pass", {"b": 2, "a": 1})


def test_a_full_disk_is_told_in_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No space left: how much was needed, and that finished work is kept."""
    store = Store(str(tmp_path))

    def full(*arguments: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(store.storage, "publish", full)
    with pytest.raises(StoreError, match="7 bytes needed") as caught:
        publish(store, b"content")
    assert "finished work is kept" in (caught.value.hint or "")


def test_canonical_json_has_one_form() -> None:
    """Sorted names, no blanks: one value is one text, and only JSON values have one."""
    assert canonical_json({"b": [1, None], "a": "ü"}) == '{"a":"ü","b":[1,null]}'.encode()
    with pytest.raises(TypeError):
        canonical_json({1j: 2})
    assert hash_json([1]) != hash_json(["1"])


def test_a_file_s_hash_is_that_of_its_bytes(tmp_path: Path) -> None:
    """Files larger than one read are hashed whole."""
    path = tmp_path / "large"
    path.write_bytes(b"ab" * (3 << 19))
    checksum, size = hash_file(path)
    flip(path, -1)
    assert (size, hash_file(path)[0] != checksum) == (3 << 20, True)


def folder_of(tmp_path: Path, **files: str) -> Path:
    folder = tmp_path / "made"
    for name, text in files.items():
        path = folder / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def test_an_artifact_comes_back_whole(store: Store, tmp_path: Path) -> None:
    """Files, folders in it and the summary: published, opened by digest, and laid out locally."""
    folder = folder_of(tmp_path, model="weights", sub__config="{}")
    made = publish_artifact(store, "model", folder, {"steps": 3})
    opened = open_artifact(store, made.digest)
    local = artifact_folder(store, opened)
    assert opened == made
    assert {path.relative_to(local).as_posix() for path in local.rglob("*") if path.is_file()} >= {
        "model",
        "sub/config",
    }
    assert ((local / "model").read_text(), (local / "sub" / "config").read_text()) == ("weights", "{}")


def test_an_artifact_is_named_by_kind_names_and_bytes(store: Store, tmp_path: Path) -> None:
    """The summary and the folder's place are not part of the digest; kind, names and bytes are."""
    folder = folder_of(tmp_path / "a", model="weights")
    digest = publish_artifact(store, "model", folder, {"seconds": 1}).digest
    other = folder_of(tmp_path / "b", model="weights")
    assert publish_artifact(store, "model", other, {"seconds": 2}).digest == digest
    assert publish_artifact(store, "tokenizer", folder, {}).digest != digest
    assert publish_artifact(store, "model", folder_of(tmp_path / "c", model="other"), {}).digest != digest
    assert publish_artifact(store, "model", folder_of(tmp_path / "d", name="weights"), {}).digest != digest


def test_the_first_summary_stands(store: Store, tmp_path: Path) -> None:
    """The same files published again keep the summary that is there, so that readers agree."""
    folder = folder_of(tmp_path, model="weights")
    publish_artifact(store, "model", folder, {"seconds": 1})
    assert publish_artifact(store, "model", folder, {"seconds": 2}).summary == {"seconds": 1}


def test_a_damaged_file_of_an_artifact_is_found(store: Store, tmp_path: Path) -> None:
    """Each file is checked when the artifact is laid out."""
    made = publish_artifact(store, "model", folder_of(tmp_path, model="weights"), {})
    flip(stored(store, f"{made.folder}/model"))
    with pytest.raises(ChecksumError, match="'model'"):
        artifact_folder(store, made)


def test_an_artifact_that_lost_a_file_is_a_store_error(store: Store, tmp_path: Path) -> None:
    """With its name and what makes it again."""
    (tmp_path / "made").mkdir()
    (tmp_path / "made/model").write_text("weights")
    made = publish_artifact(store, "model", tmp_path / "made", {})
    store.storage.delete(f"{made.folder}/model")
    with pytest.raises(StoreError, match=rf"gone: {made.folder}/model") as caught:
        artifact_folder(store, made)
    assert "run the same command again" in str(caught.value)


def test_a_half_copied_file_is_not_taken_for_the_artifact(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process killed while it laid out an artifact of an object store leaves nothing that the next one trusts."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    store = Store(f"object://{tmp_path}/store")
    made = publish_artifact(store, "model", folder_of(tmp_path, model="weights"), {})
    local = artifact_folder(store, made)
    (local / "model").write_text("wei")
    assert (artifact_folder(store, made) / "model").read_text() == "weights"


def test_no_such_artifact_is_a_store_error(store: Store) -> None:
    """A digest that nobody published is told with the digest."""
    with pytest.raises(StoreError, match="no artifact 'abc'"):
        open_artifact(store, "abc")


def test_an_artifact_exists_only_with_its_manifest(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed before the manifest is written, an artifact is not there; publishing again completes it."""
    folder = folder_of(tmp_path, model="weights")
    put = store.storage.put_if_absent
    monkeypatch.setattr(store.storage, "put_if_absent", lambda *arguments: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        publish_artifact(store, "model", folder, {})
    assert [name for name in store.storage.list("artifacts/") if name.endswith("manifest.json")] == []
    monkeypatch.setattr(store.storage, "put_if_absent", put)
    assert open_artifact(store, publish_artifact(store, "model", folder, {}).digest).kind == "model"
