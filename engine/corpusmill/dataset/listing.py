"""List objects: a long list of references as one published file, so that tasks and records name it by a digest."""

from __future__ import annotations

from typing import Any

import orjson

from corpusmill.dataset.disk import write_file
from corpusmill.dataset.hashing import canonical_json
from corpusmill.dataset.store import FileRef, Store, write_errors

SUFFIX = ".json"


def publish_list(store: Store, value: Any) -> FileRef:
    """Publish a JSON-able value; equal values have one name."""
    path = store.scratch(SUFFIX)
    with write_errors(store.uri):
        write_file(path, canonical_json(value))
    return store.publish(path, SUFFIX)


def read_list(store: Store, file: FileRef) -> Any:
    """Return the value of a list object; raises StoreError or ChecksumError."""
    return orjson.loads(store.path(file).read_bytes())
