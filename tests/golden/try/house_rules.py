"""Operators for the golden texts of `try` and `preview`: one of each kind, two of them with faults."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from corpusmill import (
    Annotator,
    Augmented,
    Augmenter,
    Cleaner,
    Filter,
    Reader,
    Splitter,
    at_least,
    at_most,
    hookimpl,
    option,
)


class Lines(Reader):
    """Reads each line of a file as a document; a line `bad` is turned away."""

    suffixes = (".lines",)

    def read(self, part, reject):
        start, texts, offsets = 0, [], []
        with part.file.open() as stream:
            for line in stream.read().splitlines(keepends=True):
                if line.strip() == b"bad":
                    reject(line, start, "bad-line")
                else:
                    texts.append(line.decode().rstrip("\n"))
                    offsets.append(start)
                start += len(line)
        yield pa.record_batch({"text": pa.array(texts, pa.large_string()), "offset": pa.array(offsets, pa.int64())})


class Short(Filter):
    """Keeps texts of a certain number of characters."""

    class Options(Filter.Options):
        """Options of filter.short."""

        least: int = option(1, help="fewest characters")
        most: int = option(12, help="most characters")

    def measure_text(self, text):
        return {"characters": float(len(text))}

    def rules(self):
        return [at_least("characters", self.options.least), at_most("characters", self.options.most)]


class Share(Filter):
    """Keeps texts with few digits, but divides by the length of the empty one."""

    def measure_text(self, text):
        return {"digits": sum(map(str.isdigit, text)) / len(text)}

    def rules(self):
        return [at_most("digits", 0.5)]


class Upper(Cleaner):
    """Writes in capitals; drops texts without letters, and trips over a word."""

    def clean_text(self, text):
        if "bo" + "om" in text:
            raise ValueError("boom found")
        return text.upper() if any(map(str.isalpha, text)) else None


class Length(Annotator):
    """Adds the number of characters."""

    def adds(self):
        return {"length": pa.int64()}

    def annotate(self, batch):
        return {"length": pa.array([len(text.as_py() or "") for text in self.texts(batch)], pa.int64())}


class Twice(Augmenter):
    """Adds a copy of every text that is in lower case."""

    def augment(self, batch):
        texts = [text.as_py() or "" for text in self.texts(batch)]
        parents = [row for row, text in enumerate(texts) for _ in range(2 if text.islower() else 1)]
        deeds = ["copy" if at and parents[at - 1] == row else None for at, row in enumerate(parents)]
        return Augmented(batch.take(pa.array(parents, pa.int64())), np.array(parents, np.int64), deeds)


class Halves(Splitter):
    """Labels by the first half of the id's digits."""

    def labels(self):
        return ("left", "right")

    def split(self, batch):
        return np.array([int(one.as_py()[0] in "89abcdef") for one in batch.column("id")], np.int32)


@hookimpl
def corpusmill_register(registry):
    registry.reader("lines", "house_rules:Lines", "Reads lines.")
    registry.filter("short", "house_rules:Short", "Keeps short texts.")
    registry.filter("share", "house_rules:Share", "Keeps texts with few digits.")
    registry.cleaner("upper", "house_rules:Upper", "Writes in capitals.")
    registry.annotator("length", "house_rules:Length", "Adds the length.")
    registry.augmenter("twice", "house_rules:Twice", "Copies texts.")
    registry.splitter("halves", "house_rules:Halves", "Labels by id.")
