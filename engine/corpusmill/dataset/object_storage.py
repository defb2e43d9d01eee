"""Storage on an object store: whole uploads, conditional puts, no rename, reads through a cache on local scratch."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from corpusmill.dataset.object_cache import ObjectCache
from corpusmill.dataset.object_client import ObjectClient
from corpusmill.errors import StoreError

_UNCLEAR = 3
"""How often a conditional put without an answer is looked after and sent again."""
_NAMED_BY_CONTENT = "files/"


class ObjectStorage:
    """A bucket's prefix, or what stands for one; `runs_root` is the local folder of its run records."""

    remote = True

    def __init__(self, client: ObjectClient, uri: str, runs_root: Path):
        self.client, self.uri, self.runs_root = client, uri, runs_root
        self._cache = ObjectCache(uri)

    def publish(self, scratch: Path, name: str) -> None:
        """Upload a finished file of known length, then look whether that is what is there."""
        size = scratch.stat().st_size
        self.client.put(name, scratch)
        found = self.client.head(name)
        if found.bytes != size:
            raise StoreError(
                f"upload of {name!r} arrived damaged: {found.bytes} bytes",
                where=self.uri,
                expected=f"{size} bytes",
                hint="run the same command again",
            )
        scratch.unlink(missing_ok=True)

    def put_if_absent(self, name: str, data: bytes) -> bytes | None:
        """Put an object on the condition that its key is free.

        A put whose answer was lost may have arrived or not: what stands under the key tells, and where nothing
        stands it is sent again. Whether equal bytes are ours or another's makes no difference.
        """
        unclear: StoreError | None = None
        for _ in range(_UNCLEAR):
            try:
                if self.client.put_new(name, data):
                    return None
            except StoreError as error:
                unclear = error
            try:
                return self.client.get(name)
            except FileNotFoundError:  # it did not arrive, or what was in the way was deleted meanwhile
                continue
        raise unclear or StoreError(
            f"{name!r} comes and goes while it is written",
            where=self.uri,
            expected="a store in which nobody deletes records of runs that are going on",
            hint="run the same command again",
        )

    def put(self, name: str, data: bytes) -> None:
        """Put an object, replacing what is there."""
        self.client.put(name, data)

    def read(self, name: str) -> bytes:
        """Get an object."""
        return self.client.get(name)

    def read_range(self, name: str, start: int, stop: int) -> bytes:
        """Get a range of an object."""
        return self.client.get_range(name, start, stop)

    def fetch(self, name: str) -> Path:
        """Download an object into the cache once; another version of it (its ETag) is another file.

        What is named by its content has one version, so a copy that is here costs no request; the store holds it
        against its name. Other copies are forced to the disk before they count, for nothing else looks at them.
        """
        content_named = name.startswith(_NAMED_BY_CONTENT)
        if content_named and (copy := self._cache.find(name)) is not None:
            return copy
        head = self.client.head(name)
        identity = name if content_named else f"{name}\0{head.version}"
        copy = None if content_named else self._cache.find(identity, head.bytes)
        get_range = partial(self.client.get_range, name)
        return copy or self._cache.fill(identity, head.bytes, get_range, lasting=not content_named)

    def exists(self, name: str) -> bool:
        """Say whether the key is taken."""
        try:
            self.client.head(name)
        except FileNotFoundError:
            return False
        return True

    def size(self, name: str) -> int:
        """Return the bytes of the object."""
        return self.client.head(name).bytes

    def modified(self, name: str) -> float:
        """Return the time of the object."""
        return self.client.head(name).modified

    def unfinished(self) -> Iterator[str]:
        """Yield uploads that are going on or were given up, where the store shows them."""
        return self.client.unfinished()

    def list(self, prefix: str) -> Iterator[str]:
        """Yield the keys under a prefix, sorted."""
        yield from sorted(key for key, _ in self.client.list(prefix))

    def delete(self, name: str) -> None:
        """Delete an object."""
        self.client.delete(name)

    def scratch(self) -> Path:
        """Return local scratch of this user; an object store has none of its own."""
        return self._cache.scratch
