"""A plugin for a version of the interface that is not there yet."""

from __future__ import annotations

from corpusmill import hookimpl

corpusmill_api = 9


@hookimpl
def corpusmill_register(registry: object) -> None:
    """Never called: the version is looked at first."""
    raise AssertionError
