"""The texts that operators are tried on: ordinary ones in several languages, and all that breaks text code."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

ORDINARY: tuple[str, ...] = (
    "The miller reads a book by the river. She thinks that it is good, and that the old judge wrote it in 1924.",
    "The miller reads a book by the river. She thinks that it is good, and that the old judge wrote it in 1924.",
    "The miller reads a book by the river. He thinks that it is good, and that the old judge wrote it in 1924.",
    "Lorem ipsum dolor sit amet, consectetur adipiscing elit, sed do eiusmod tempor incididunt ut labore et dolore.",
    "<html><head><title>Mill</title></head><body><p>Flour, water and salt; time makes bread good.</p></body></html>",
    "Die Müllerin liest am Fluss ein Buch über Straßen, Öfen und Übermut; der alte Richter schläft.",
    "我的朋友喜欢喝茶，也喜欢在城里散步。他说，今天的天气很好，我们一起去公园吧。",
    "その先生は毎朝本を読みます。それから川のそばを歩きます。",
    "El molinero lee un libro junto al río y piensa que es bueno; la jueza escribió cartas en 1924.",
    "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen",
    "word word word word word word word word word word word word word word word word",
    "- a list\n- of short lines\n- with marks\n\nand a paragraph behind it, a little longer than the lines above.",
    "Write to anna@example.org or call +49 30 1234567, see https://example.org/a?b=c#d for prices: 12,50 € or $13.",
    "SHOUTING IS NOT AN ARGUMENT!!! ... really? 100% (sic) [ref] {x} x = y * 2;",
    "def mill(grain):\n    return [flour(one) for one in grain if one.is_dry]\n",
    "a",
)
"""Texts as they come; some are duplicates and near-duplicates of one another."""

UNICODE: tuple[str, ...] = (
    "👩‍👩‍👧‍👦 family, 🏳️‍🌈 flag, 🇩🇪🇨🇳 countries, 👍🏽 skin, ❤️ selector, 1️⃣ keycap",
    "😀",
    "Z̸̡̢̛̫͍͔̗̄͗̅ȧ̵̞̀l̷̺̈́g̶̰̀ő̶̦ and e\u0301 versus \u00e9, n\u0303, \u0301 alone",
    "\u0644\u0627 \u0634\u064a\u0621 \u0639\u0631\u0628\u064a \u202bbidi\u202c \u200fmark\u200e",
    "\u05e2\u05d1\u05e8\u05d9\u05ea abc 123",
    "𠀀𠀁𪚥𫝀 CJK extension B, 𝕬𝖇𝖈 mathematical letters, 𐍈 Gothic",
    "ﬁ ligature, ß sharp, ſ long, İ dotted, ı dotless, Σς final, Ǆ digraph, ㎏ square, Ａ wide, ½ half, Ⅻ twelve",
    "각각 각각 \u1112\u1161\u11ab conjoining, ไทยไม่มีช่องว่าง, हिन्दी क्षि, ខ្មែរ",
    "\n",
    "\n\n\n",
    "\r",
    "\r\n\r\n",
    "a\nb\rc\r\nd\u2028e\u2029f\u0085g\x0bh\x0ci",
    " ",
    "\t \u00a0\u3000\u2009\u200b\ufeff",
    "\x00",
    "before\x00after \x1b[31mred\x1b[0m \x7f\x80\x9f",
    "\ufeffbyte order mark",
    "\ufffd\ufffe\uffff\U0010ffff\ue000 \U000e0041",
    "…‘’“”—–•·。、！？，；：「」『』",
    ".",
    "'",
    "0",
    "-1e309",
    "null",
    "<|endoftext|>",
    "%s {0} $x \\n \\",
    "a" * 5000,
    "字" * 3000,
    "x\n" * 2000,
)
"""Valid text of the kinds that break programs written with ASCII in mind."""

_RANGES = ((0x00, 0x7F), (0x80, 0x5FF), (0x600, 0x1FFF), (0x2000, 0xD7FF), (0xE000, 0xFFFF), (0x10000, 0x10FFFF))
"""Code points from the common to the rare; surrogates are no text."""


def _drawn(count: int) -> tuple[str, ...]:
    """Return texts of up to 40 code points drawn from all of Unicode, the same every time."""
    generator, ranges = np.random.default_rng(20_261), np.array(_RANGES)
    texts = []
    for _ in range(count):
        bounds = ranges[generator.integers(0, len(ranges), generator.integers(1, 41))]
        points = generator.integers(bounds[:, 0], bounds[:, 1] + 1)
        texts.append("".join(map(chr, points.tolist())))
    return tuple(texts)


RANDOM = _drawn(24)
"""What nobody thinks of."""
NULLS: tuple[str | None, ...] = (None, "", None)
LONG: tuple[str, ...] = ("m" * (1 << 20), "long words stand in a line " * 38_837)
"""Lines of 1 MB without a line break, without and with spaces."""


def make_batch(texts: Sequence[str | None], columns: Sequence[str] = (), *, number: bool = False) -> pa.RecordBatch:
    """Return documents as the engine hands them to operators: id, text, source, file, offset, label and `columns`.

    A further column holds words (numbers with `number`) and is null where the text is. A row's other values follow
    from its text alone, so that a text means the same row in any order.
    """
    marks = [_mark(text) for text in texts]
    data: dict[str, pa.Array] = {
        "id": pa.array([f"{mark:032x}" for mark in marks], pa.string()),
        "text": pa.array(texts, pa.large_string()),
        "source": pa.array([f"https://example.org/{mark % 97}" for mark in marks], pa.large_string()),
        "file": pa.array([f"part-{mark % 3}.jsonl" for mark in marks], pa.large_string()),
        "offset": pa.array([mark % 1_000_003 for mark in marks], pa.int64()),
        "label": pa.array(["ab"[mark % 2] for mark in marks], pa.large_string()),
    }
    for name in columns:
        if name in data:
            continue
        words = [
            None if text is None else ("en", "zh", "und")[mark % 3] for text, mark in zip(texts, marks, strict=True)
        ]
        numbers = [None if text is None else mark % 1000 / 100 for text, mark in zip(texts, marks, strict=True)]
        data[name] = pa.array(numbers, pa.float64()) if number else pa.array(words, pa.large_string())
    return pa.RecordBatch.from_pydict(data)


def copied(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return the same rows in buffers of their own, from offset 0."""
    if not batch.num_rows:
        return pa.RecordBatch.from_pylist([], schema=batch.schema)
    return batch.take(pa.array(np.arange(batch.num_rows)))


def _mark(text: str | None) -> int:
    """Return a number for a text."""
    import xxhash

    return xxhash.xxh3_64_intdigest((text if text is not None else "\0null").encode("utf-8", "surrogatepass"))
