"""Settings that libraries take from the environment alone: there while they are read, gone afterwards."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

OFFLINE = {"HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
"""Read when huggingface_hub is loaded, and kept by it as constants."""
PASSIVE = {"OMP_WAIT_POLICY": "PASSIVE"}
"""Threads that spin at a barrier starve each other where cores are shared: steps of 1 s took over 20 s. Read when torch
is loaded, so it helps a process that has not loaded it yet."""


@contextmanager
def environment(always: dict[str, str] | None = None, **unless_set: str) -> Iterator[None]:
    """Set variables for a block: `always` whatever they were, the others where they are not set."""
    wanted = {name: value for name, value in unless_set.items() if name not in os.environ} | (always or {})
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
