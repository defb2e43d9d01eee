"""Models to measure: transformers folders of this machine, float32, in evaluation mode."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from corpusmill_plugins.kernels.device import require
from corpusmill_plugins.kernels.environment import OFFLINE, PASSIVE, environment


def quiet_transformers() -> Any:
    """Return transformers, offline and without bars and load reports of its own: the engine shows progress."""
    with environment(OFFLINE):
        import transformers

    transformers.utils.logging.disable_progress_bar()
    transformers.utils.logging.set_verbosity_error()
    return transformers


def load(auto_class: str, folder: Path, device: str) -> Any:
    """Return the model of a folder, ready to be applied; nothing is looked up on a hub."""
    with environment(**PASSIVE):
        import torch

    require(device)
    loader = getattr(quiet_transformers(), auto_class)
    model = loader.from_pretrained(str(folder), dtype=torch.float32, local_files_only=True, use_safetensors=True)
    return model.to(device).eval()


def load_tokenizer(folder: Path) -> Any:
    """Return the tokenizer of a folder; text that spells a special token stays text."""
    loader = quiet_transformers().AutoTokenizer
    return loader.from_pretrained(str(folder), local_files_only=True, split_special_tokens=True)


@contextmanager
def inference(threads: int) -> Iterator[None]:
    """No gradients, and this many CPU threads; put torch's setting back afterwards."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(max(1, threads))
    try:
        with torch.inference_mode():
            yield
    finally:
        torch.set_num_threads(before)


def per_split(measured: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Return metrics by split under `splits`; those of an only split also stand at the top, where searches look."""
    only = next(iter(measured.values())) if len(measured) == 1 else {}
    return {**only, "splits": measured}
