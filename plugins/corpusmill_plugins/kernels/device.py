"""The device that the engine gives to a step, as torch sees it."""

from __future__ import annotations

from corpusmill import CorpusmillError


def require(device: str) -> None:
    """Raise CorpusmillError where torch cannot use the device (`cpu` or `cuda`).

    The engine counts the GPUs of a machine without loading torch; a build for CPUs alone, or a driver that is too old,
    shows only here.
    """
    import torch

    if device == "cuda" and not torch.cuda.is_available():
        built = f"built for CUDA {torch.version.cuda}" if torch.version.cuda else "built for CPUs alone"
        raise CorpusmillError(
            f"torch {torch.__version__} cannot use the GPU that this step was given: it is {built}",
            expected="a build of torch that fits the GPU and its driver",
            hint="install one (pytorch.org/get-started), or leave `gpus` out of the step's resources",
        )
