"""Torch set up so that the same seed and threads give the same bytes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def deterministic(threads: int) -> Iterator[None]:
    """Use deterministic algorithms and this many CPU threads; put torch's settings and generator back afterwards."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # read once, when CUDA starts
    # Threads that spin at a barrier starve each other where cores are shared: steps of 1 s took over 20 s. This is
    # read when torch is loaded, so it helps a process that has not loaded it yet.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    import torch

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
