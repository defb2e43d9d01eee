"""Files of a store, each changed by one bit or cut short: found by `verify`, and taken for nothing at reuse."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

_FILE = re.compile(r"files/../([0-9a-f]{32})(\.[a-z]+)")


def make_store(folder: Path) -> str:
    """Run a pipeline that leaves a file of every kind; return the store's URI."""
    from corpusmill.dataset.store import Store
    from corpusmill.plan.check import check
    from corpusmill.runner.driver import RunOptions, run_spec

    texts = [
        f"document {number // 2} of a small store " + "and on it goes " * (number // 2 % 7) for number in range(60)
    ]
    lines = [json.dumps({"text": text}) for text in texts]
    (folder / "a.jsonl").write_text("\n".join([*lines, "no record", "short"]) + "\n", encoding="utf-8")
    steps = [
        {"id": "read", "uses": "read.jsonl", "with": {"paths": "a.jsonl", "shard": 1500}},
        {"id": "length", "uses": "filter.length", "with": {"min_words": 8, "signals": "keep"}},
        {"id": "near", "uses": "dedup.minhash"},
        {"id": "words", "uses": "tokenizer.bpe", "with": {"size": 280}},
        {"id": "tokens", "uses": "tokens.pack", "needs": {"documents": "near", "tokenizer": "words"}},
    ]
    steps[-1]["with"] = {"window": 16}
    spec = {"corpusmill": 1, "name": "small", "limits": {"max_bad_fraction": 1}, "steps": steps}
    (folder / "spec.json").write_text(json.dumps(spec), encoding="utf-8")
    uri = str(folder / "store")
    run_spec(check(folder / "spec.json"), RunOptions(store=uri, debug=True))
    store = Store(uri)
    keys = sorted(key for _, key, _ in store.commits.every())
    store.gather(keys[: len(keys) // 2], least=1)
    return uri


def kinds_of(uri: str) -> dict[str, str]:
    """Return kind -> name of one file of that kind."""
    import orjson

    from corpusmill.dataset.inventory import files_in
    from corpusmill.dataset.store import Store

    store, found = Store(uri), dict[str, str]()
    for name, _, record in store.commits.every():
        found.setdefault("pack of commit records" if "/packs/" in name else "commit record", name)
        for word, value in orjson.loads(record or b"{}").items():
            for reference in files_in(value):
                found.setdefault(_WORDS.get(word, word), reference.name)
    for name in sorted(store.storage.list("")):
        kind, _, rest = name.partition("/")
        if kind == "datasets" and rest.endswith("/manifest.json"):
            manifest = orjson.loads(store.storage.read(name))
            files = [one.name for one in files_in(manifest)]
            is_tokens = manifest.get("kind") == "tokens"
            found.setdefault("manifest of tokens" if is_tokens else "manifest of a dataset", name)
            found.setdefault("tokens" if is_tokens else "list of parts", files[0])
            found.setdefault("windows of tokens" if is_tokens else "list of parts", files[-1])
        elif kind == "artifacts":
            found.setdefault(
                "manifest of an artifact" if name.endswith("manifest.json") else "file of an artifact", name
            )
    return found


_WORDS = {
    "keys": "sketch: keys",
    "rows": "sketch: rows",
    "values": "kept signals",
    "decisions": "decisions of a deduplication",
    "links": "links of a deduplication",
}


class Victim:
    """One file of a store with what it gives while it is whole; `meets` changes it, looks, and puts it back."""

    def __init__(self, uri: str, name: str):
        self._uri, self._name, self._path = uri, name, Path(uri) / name
        self.data = self._path.read_bytes()
        self._keys = [Path(name).stem] if name.startswith("commits/") else []
        if "/packs/" in name:
            self._keys = [line.split(b" ")[1].decode() for line in self.data.splitlines()]
        self._whole = self._use()

    def meets(self, changed: bytes) -> tuple[bool, bool]:
        """Return whether `verify` finds the change, and whether nothing but the truth comes of using the file."""
        self._path.write_bytes(changed)
        try:
            return self._found(), self._truthful()
        finally:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._path.write_bytes(self.data)

    def _found(self) -> bool:
        from corpusmill.dataset.store import Store
        from corpusmill.dataset.verification import verify_files
        from corpusmill.runner.store_check import take_inventory

        findings = verify_files(take_inventory(Store(self._uri))).findings
        return any(self._name in (one.name, *re.split(r"[, ]+", one.detail)) for one in findings)

    def _truthful(self) -> bool:
        """A refusal is no lie, and neither is a commit record that counts as none: its work is done again."""
        from corpusmill.errors import StoreError

        try:
            found = self._use()
        except StoreError:
            return True
        if self._keys:
            return all(found[key] in (None, self._whole[key]) for key in self._keys)
        return bool(found == self._whole)

    def _use(self) -> Any:
        """Return what comes of the file as the engine uses it."""
        from corpusmill.dataset.artifact import artifact_folder, open_artifact
        from corpusmill.dataset.manifest import Dataset
        from corpusmill.dataset.store import FileRef, Store
        from corpusmill.runner.tokens import TokenSet

        store = Store(self._uri)
        if match := _FILE.fullmatch(self._name):
            return store.path(FileRef(match[1], len(self.data), match[2])).read_bytes()
        if self._keys:
            return {key: store.committed(key) for key in self._keys}
        digest = self._name.split("/")[1]
        if self._name.startswith("artifacts/"):
            artifact = open_artifact(store, digest)
            return artifact, artifact_folder(store, artifact)
        opened = (TokenSet if b'"kind":"tokens"' in self.data else Dataset).open(store, digest)
        return {name: value for name, value in vars(opened).items() if name != "store"}
