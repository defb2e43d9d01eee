"""Torch set up so that the same seed and threads give the same bytes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from corpusmill_plugins.kernels.environment import PASSIVE, environment

WORKSPACE = {"CUBLAS_WORKSPACE_CONFIG": ":4096:8"}
"""Read once, when CUDA starts; without it torch refuses deterministic matrix products."""


@contextmanager
def deterministic(threads: int) -> Iterator[None]:
    """Use deterministic algorithms and this many CPU threads; put torch's settings and generator back afterwards."""
    with environment(**PASSIVE):
        import torch
    with environment(**WORKSPACE), _settings(torch, threads):
        yield


@contextmanager
def _settings(torch: Any, threads: int) -> Iterator[None]:
    was = (torch.are_deterministic_algorithms_enabled(), torch.get_num_threads(), torch.get_rng_state())
    filled = torch.utils.deterministic.fill_uninitialized_memory
    try:
        torch.set_num_threads(max(1, threads))
        torch.use_deterministic_algorithms(True)
        # Filling fresh memory only helps code that reads it unwritten; it costs a pass over every tensor.
        torch.utils.deterministic.fill_uninitialized_memory = False
        yield
    finally:
        torch.utils.deterministic.fill_uninitialized_memory = filled
        torch.use_deterministic_algorithms(was[0])
        torch.set_num_threads(was[1])
        torch.set_rng_state(was[2])
