"""The causal model behind `annotate.perplexity`: summed losses of token sequences that depend on no neighbour."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from corpusmill_plugins.kernels.device import require
from corpusmill_plugins.kernels.environment import OFFLINE, environment

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

FORWARD_TOKENS = 2048
"""Token places in every call of the model, filled or not."""
SHORTEST = 32


class SequenceScorer:
    """Scores sequences of tokens by a causal model.

    Matrix products round differently for matrices of different shapes, so the model only ever sees full batches of
    a few fixed shapes: sequences are sorted into lengths 32, 64, 128, … (padded at their end, where no earlier token
    sees it), and a batch that is not full is filled up with empty rows. A sequence's loss is then the same bits in
    whatever company it comes.
    """

    def __init__(self, folder: Path, device: str, threads: int):
        with environment(OFFLINE):
            import torch
            import transformers
        from tokenizers import Tokenizer

        require(device)
        transformers.utils.logging.disable_progress_bar()  # the engine shows progress
        transformers.utils.logging.set_verbosity_error()
        self.device, self.threads = device, threads
        model = transformers.AutoModelForCausalLM.from_pretrained(
            str(folder), dtype=torch.float32, local_files_only=True, use_safetensors=True
        )
        self.model: Any = model.to(device).eval()
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.tokenizer.encode_special_tokens = True
        self.context = int(getattr(model.config, "max_position_embeddings", None) or 1024)
        self.start = start_token(folder, self.tokenizer)

    def encode(self, texts: list[str]) -> list[npt.NDArray[np.int64]]:
        """Return the ids of each text behind the token that starts a document (where the tokenizer names one)."""
        import numpy as np

        start = [] if self.start is None else [self.start]
        encoded = self.tokenizer.encode_batch_fast(texts, add_special_tokens=False)
        return [np.array([*start, *one.ids], np.int64) for one in encoded]

    def losses(self, sequences: list[npt.NDArray[np.int64]]) -> npt.NDArray[np.float64]:
        """Return the summed loss in nats of each sequence given its first id, float64 (n,).

        Sequences longer than the model's context are cut into pieces that overlap by one id, as in training.
        """
        import numpy as np

        pieces, owners = [], []
        for owner, ids in enumerate(sequences):
            for begin in range(0, len(ids) - 1, self.context):
                pieces.append(ids[begin : begin + self.context + 1])
                owners.append(owner)
        sums = np.zeros(len(sequences))
        # Pieces of one sequence are added in their order, so that the sum is the same bits every time.
        for owner, loss in zip(owners, self._piece_losses(pieces), strict=True):
            sums[owner] += loss
        return sums

    def _piece_losses(self, pieces: list[npt.NDArray[np.int64]]) -> npt.NDArray[np.float64]:
        import numpy as np

        places = np.array([self._place(len(piece) - 1) for piece in pieces], np.int64)
        losses = np.zeros(len(pieces))
        for length in np.unique(places):
            group = np.flatnonzero(places == length)
            rows = max(1, FORWARD_TOKENS // int(length))
            for start in range(0, len(group), rows):
                part = group[start : start + rows]
                losses[part] = self._batch([pieces[index] for index in part], rows, int(length))
        return losses

    def _place(self, predicted: int) -> int:
        """The smallest of 32, 64, 128, …, context that holds this many predicted tokens."""
        length = SHORTEST
        while length < predicted:
            length *= 2
        return min(length, self.context)

    def _batch(self, pieces: list[npt.NDArray[np.int64]], rows: int, length: int) -> npt.NDArray[np.float64]:
        """Summed losses of at most `rows` pieces in a call of shape (rows, length)."""
        import numpy as np
        import torch

        ids = np.full((rows, length + 1), -1, np.int64)
        for row, piece in enumerate(pieces):
            ids[row, : len(piece)] = piece
        threads = torch.get_num_threads()
        torch.set_num_threads(self.threads)
        try:
            with torch.inference_mode():
                there = torch.from_numpy(ids).to(self.device)
                logits = self.model(input_ids=there[:, :-1].clamp_min(0), use_cache=False).logits.float()
                targets = there[:, 1:]
                each = torch.nn.functional.cross_entropy(
                    logits.transpose(1, 2), targets, ignore_index=-1, reduction="none"
                )
                return np.asarray(each.double().sum(1).cpu().numpy()[: len(pieces)])
        finally:
            torch.set_num_threads(threads)


def start_token(folder: Path, tokenizer: Any) -> int | None:
    """Return the id that stands before a document: the tokenizer's bos, else its eos, else `<|endoftext|>`, or None."""
    config = folder / "tokenizer_config.json"
    named = json.loads(config.read_bytes()) if config.is_file() else {}
    for token in (named.get("bos_token"), named.get("eos_token"), "<|endoftext|>"):
        content = token.get("content") if isinstance(token, dict) else token
        number = tokenizer.token_to_id(content) if content else None
        if number is not None:
            return int(number)
    return None
