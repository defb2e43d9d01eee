"""Names of the built-in splitters."""

from __future__ import annotations

from typing import Any

from corpusmill import hookimpl


@hookimpl
def corpusmill_register(registry: Any) -> None:
    """Register this family; targets load on use."""
    registry.splitter("by-hash", "corpusmill_plugins.splitters.by_hash:ByHash", "Draw split labels by hash.")
