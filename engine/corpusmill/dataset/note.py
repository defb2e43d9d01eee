"""Notes: small records that no commit names and that may be lost (indexes of input files), with their own checksum."""

from __future__ import annotations

from typing import Any

import orjson

from corpusmill.dataset.hashing import canonical_json, hash_json

NOTES = "inputs/"
"""Where notes lie in a store."""


def note_of(content: dict[str, Any]) -> bytes:
    """Return a note's bytes."""
    return canonical_json({"checksum": hash_json(content), "content": content})


def read_note(data: bytes) -> dict[str, Any] | None:
    """Return what a note says; None where it is damaged, or of a version that gave none a checksum."""
    try:
        note = orjson.loads(data)
        content: dict[str, Any] = note["content"]
        return content if hash_json(content) == note["checksum"] else None
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return None
