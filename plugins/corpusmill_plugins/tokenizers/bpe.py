"""Byte-level BPE, trained on a stream of documents."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from corpusmill import TokenizerTrainer, option

if TYPE_CHECKING:
    from pathlib import Path

    from tokenizers import Tokenizer

END = "<|endoftext|>"
PAD = "<|pad|>"
BYTES = 256
WIDE_MARKS = "\u3000-\u303f\uff00-\uffef"
"""Chinese and Japanese punctuation: unlike a space or a bracket it says nothing about the word behind it."""


def word_pattern(digits: int) -> str:
    """Return the regex (Oniguruma) that cuts text into words before merging; merges never cross a word.

    The shape is cl100k's (OpenAI tiktoken): contractions, letters with one leading mark or space (no wide one),
    digits, marks with their line ends, white space. Two changes: runs of Chinese characters and kana are words of
    their own (DeepSeek-V3 does the same), so that a full stop or a space never merges into a character and Latin
    words inside Chinese text stay whole; and digits come in runs of at most `digits`.
    """
    scripts = r"\p{Han}\p{Hiragana}\p{Katakana}"
    return "|".join(
        [
            r"'(?i:[sdmt]|ll|ve|re)(?!\p{L})",
            rf"[{scripts}]+",
            rf"[^\r\n\p{{L}}\p{{N}}{WIDE_MARKS}]?(?:(?![{scripts}])[\p{{L}}\p{{M}}])+",
            rf"\p{{N}}{{1,{digits}}}",
            r" ?[^\s\p{L}\p{N}]+[\r\n]*",
            r"\s*[\r\n]+",
            r"\s+(?!\S)",
            r"\s+",
        ]
    )


class BytePairEncoding(TokenizerTrainer):
    """Train a byte-level BPE tokenizer (Sennrich et al. 2016; bytes as in GPT-2): every text round-trips exactly.

    Leaves `tokenizer.json` and `tokenizer_config.json`, which `transformers` loads as they are. The same documents
    give the same bytes in any process and with any number of threads: words are counted, and ties between pairs are
    broken by their ids.
    """

    version = 1
    depends = ("tokenizers",)

    class Options(TokenizerTrainer.Options):
        """Size of the vocabulary and how text is cut into words."""

        size: int = option(4096, ge=BYTES + 2, le=1_000_000, unit="tokens", help="vocabulary with bytes and special")
        min_frequency: int = option(2, ge=1, unit="occurrences", help="rarest pair that is still merged")
        digits: int = option(3, ge=1, le=8, unit="digits", help="longest run of digits inside one token")
        special: tuple[str, ...] = option((END, PAD), help="special tokens; they get the first ids")

    def run(self, inputs: Any, work: Any) -> dict[str, Any]:
        """Count words in one pass over the documents, merge, and save."""
        special = tuple(dict.fromkeys((END, PAD, *self.options.special)))
        tokenizer = self._untrained()
        counted = _Counted(inputs.documents, self.column, work)
        tokenizer.train_from_iterator(counted.batches(), trainer=self._trainer(special))
        save(tokenizer, work.output)
        return {"size": tokenizer.get_vocab_size(), "documents": counted.rows, "special": list(special)}

    def _untrained(self) -> Tokenizer:
        from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers

        tokenizer = Tokenizer(models.BPE())
        words = pre_tokenizers.Split(Regex(word_pattern(self.options.digits)), behavior="isolated")
        to_bytes = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence([words, to_bytes])
        tokenizer.decoder = decoders.ByteLevel()
        return tokenizer

    def _trainer(self, special: tuple[str, ...]) -> Any:
        from tokenizers import pre_tokenizers, trainers

        return trainers.BpeTrainer(
            vocab_size=self.options.size,
            min_frequency=self.options.min_frequency,
            special_tokens=list(special),
            initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
            show_progress=False,
        )


class _Counted:
    """The texts of a documents input, a list a batch, with the count of what went by."""

    def __init__(self, documents: Any, column: str, work: Any):
        self.documents, self.column, self.work = documents, column, work
        self.rows = 0

    def batches(self) -> Iterator[list[str]]:
        for batch in self.documents.batches(columns=[self.column]):
            self.rows += batch.num_rows
            yield [text for text in batch.column(self.column).to_pylist() if text]
            self.work.progress(self.rows, self.documents.rows)


def save(tokenizer: Tokenizer, folder: Path) -> None:
    """Write `tokenizer.json` and the `tokenizer_config.json` that tells `transformers` its special tokens."""
    tokenizer.save(str(folder / "tokenizer.json"), pretty=True)
    config = {
        "clean_up_tokenization_spaces": False,
        "eos_token": END,
        "pad_token": PAD,
        "tokenizer_class": "PreTrainedTokenizerFast",
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
