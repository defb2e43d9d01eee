"""A loader that does not name what it loads."""

from __future__ import annotations

from typing import Any

import corpusmill as mill


class NoSources(mill.Loader):
    """Loads nothing."""

    output = "metrics"

    def sources(self) -> tuple[str, ...]:
        return ()

    def run(self, inputs: Any, work: Any) -> dict[str, Any]:
        return {"loaded": 0}


@mill.hookimpl
def corpusmill_register(registry: Any) -> None:
    registry.loader("no-sources", NoSources, "Broken on purpose.")
