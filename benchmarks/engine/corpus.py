"""Makes the input: real documents, repeated with a changed line a copy, dealt into even JSONL files. Deterministic.

    python benchmarks/engine/corpus.py FOLDER MEGABYTES FILES SMALL

Below FOLDER: `even/` (FILES files), `one/` (one file), `small/` (SMALL files), all with the same lines in the same
order, and `ten/` (ten documents in two files).
"""

from __future__ import annotations

import json
import lzma
import os
import random
import sys
from collections.abc import Iterator
from pathlib import Path

SOURCES = (
    "b_corpora/tf-docs-multi/tf-docs-multi.jsonl.xz",
    "b_corpora/zh-lctt/zh-lctt.jsonl.xz",
    "c_neardup/pep-history/pep-history.jsonl.xz",
    "c_neardup/pg-editions/pg-editions.jsonl.xz",
    "c_neardup/zh-laws-versions/zh-laws-versions.jsonl.xz",
)
BOOKS = Path(__file__).resolve().parents[2] / "pipelines" / "data" / "books"
PIECE = 10
"""Paragraphs of a book that make a document."""


def documents(folder: Path) -> list[str]:
    """The texts of all sources, shuffled."""
    texts = []
    for name in SOURCES:
        with lzma.open(folder / name, "rt", encoding="utf-8") as lines:
            texts += [json.loads(line)["text"] for line in lines]
    random.Random(0).shuffle(texts)
    return texts


def texts_at_hand() -> list[str]:
    """The texts of the folder that CORPUSMILL_TEST_DATA names; without it the repository's books, in pieces."""
    if folder := os.environ.get("CORPUSMILL_TEST_DATA"):
        return documents(Path(folder))
    texts = []
    for path in sorted(BOOKS.glob("*.txt")):
        paragraphs = _decoded(path.read_bytes()).split("\n\n")
        texts += ["\n\n".join(paragraphs[at : at + PIECE]) for at in range(0, len(paragraphs), PIECE)]
    random.Random(0).shuffle(texts)
    return texts


def _decoded(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("gb18030")


def lines_of(texts: list[str], size: int) -> Iterator[bytes]:
    """JSON lines of `size` bytes in all; each copy of the texts has another last line."""
    made, copy = 0, 0
    while True:
        for text in texts:
            changed = f"{text}\nCopy number {copy}." if copy else text
            line = json.dumps({"text": changed}, ensure_ascii=False).encode() + b"\n"
            yield line
            made += len(line)
            if made >= size:
                return
        copy += 1


def cut(lines: Iterator[bytes], folder: Path, count: int, size: int) -> None:
    """Write the lines into `count` files of about `size / count` bytes."""
    folder.mkdir(parents=True)
    done = 0
    for number in range(count):
        with open(folder / f"part-{number:05}.jsonl", "wb") as sink:
            while done < size * (number + 1) / count or number == count - 1:
                line = next(lines, None)
                if line is None:
                    break
                sink.write(line)
                done += len(line)


def main() -> None:
    """Make the folders."""
    folder, size = Path(sys.argv[1]), int(float(sys.argv[2]) * 1e6)
    data = Path(os.environ["CORPUSMILL_TEST_DATA"])
    texts = documents(data)
    for name, count in (("even", int(sys.argv[3])), ("one", 1), ("small", int(sys.argv[4]))):
        cut(lines_of(texts, size), folder / name, count, size)
    ten = [text for text in texts if 1_000 < len(text) < 10_000][:10]
    (folder / "ten").mkdir()
    for number in range(2):
        lines = [json.dumps({"text": text}, ensure_ascii=False) + "\n" for text in ten[number::2]]
        (folder / "ten" / f"part-{number}.jsonl").write_text("".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
