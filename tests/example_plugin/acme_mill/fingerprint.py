"""dedup.fingerprint: texts whose 64-bit fingerprints differ in a few bits are one."""

from hashlib import blake2b

from corpusmill import Deduplicator, Sketch, hookimpl, option


class Fingerprint(Deduplicator):
    """Keep one of several texts that are nearly the same, in any language: SimHash over runs of characters.

    Each run of `ngram` characters votes on 64 bits (Charikar 2002). Fingerprints that differ in at most three bits
    have one of four blocks of 16 bits in common (Manku et al. 2007), so the blocks are the keys.
    """

    verifies = True
    key_options = ("ngram",)
    reason = "nearly-the-same"

    class Options(Deduplicator.Options):
        ngram: int = option(4, ge=1, le=20, help="characters in a run", unit="characters")
        most_bits: int = option(3, ge=0, le=3, help="bits in which duplicates may differ", unit="bits")

    def sketch(self, batch):
        """Return four keys a document, and its fingerprint as evidence: uint64 (rows, 1)."""
        import numpy as np

        prints = np.array([self._print(text or "") for text in self.texts(batch).to_pylist()], np.uint64)
        rows = np.flatnonzero(prints)  # no text, no key
        blocks = prints[rows].astype("<u8").view("<u2").reshape(-1, 4)
        keys = [_mixed(place, int(block)) for row in blocks for place, block in enumerate(row)]
        return Sketch(np.array(keys, np.uint64), np.repeat(rows, 4), prints[:, None])

    def similarity(self, left, right):
        """Return the share of bits that agree."""
        import numpy as np

        return 1 - np.bitwise_count(left ^ right)[:, 0] / 64

    def threshold(self):
        """Return the smallest similarity of duplicates."""
        return 1 - self.options.most_bits / 64

    def _print(self, text):
        import numpy as np

        size = self.options.ngram
        runs = {text[start : start + size] for start in range(len(text) - size + 1)} or {text} - {""}
        hashes = b"".join(_digest(run.encode()) for run in runs)
        bits = np.unpackbits(np.frombuffer(hashes, np.uint8).reshape(-1, 8), axis=1)
        return int.from_bytes(np.packbits(2 * bits.sum(0, dtype=np.int64) > len(runs)).tobytes(), "big")


def _digest(data):
    return blake2b(data, digest_size=8).digest()


def _mixed(place, block):
    """Return a well-mixed key: the engine cuts the range of keys evenly."""
    return int.from_bytes(_digest(bytes([place]) + block.to_bytes(2, "big")), "big")


@hookimpl
def corpusmill_register(registry):
    registry.dedup("fingerprint", Fingerprint, "Keep one of several texts that are nearly the same.")
