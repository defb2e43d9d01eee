"""Content hashes: xxh3-128 over canonical bytes, hex, the same on every machine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import xxhash

_CHUNK = 1 << 20


def hash_bytes(data: bytes | memoryview) -> str:
    """Return the xxh3-128 of some bytes as 32 hex digits."""
    return xxhash.xxh3_128_hexdigest(data)


def hash_json(value: Any) -> str:
    """Return the hash of a JSON-able value; the order of keys does not matter."""
    return hash_bytes(canonical_json(value))


def canonical_json(value: Any) -> bytes:
    """Return the one JSON encoding of a value: sorted keys, no spaces. Raises TypeError for anything else."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def hash_file(path: Path) -> tuple[str, int]:
    """Return (hash, bytes) of a whole file."""
    hasher, size = xxhash.xxh3_128(), 0
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            hasher.update(chunk)
            size += len(chunk)
    return hasher.hexdigest(), size
