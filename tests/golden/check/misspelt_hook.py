"""A plugin file whose hook is misspelt, for the message it causes."""

from __future__ import annotations

from typing import Any

from corpusmill import hookimpl


@hookimpl
def corpusmill_registr(registry: Any) -> None:
    registry.filter("never", ":Never", "Never seen.")
