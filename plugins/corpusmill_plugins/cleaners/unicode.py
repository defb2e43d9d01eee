"""clean.unicode: normal form, one kind of line end, no invisible characters, and repair of mojibake."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, Literal

from corpusmill import Cleaner, option

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

# Written once as code point ranges, used in two dialects: RE2 to find rows, `re` to change them.
_LINE_ENDS = ((0x0B, 0x0D), (0x85, 0x85), (0x2028, 0x2029))
_INVISIBLE = (
    (0x00, 0x08),  # C0 controls, tab and newline apart
    (0x0E, 0x1F),
    (0x7F, 0x84),  # DEL and C1 controls
    (0x86, 0x9F),
    (0xAD, 0xAD),  # soft hyphen
    (0x61C, 0x61C),  # bidirectional marks, embeddings, isolates
    (0x200E, 0x200F),
    (0x202A, 0x202E),
    (0x2066, 0x206F),
    (0x200B, 0x200B),  # zero width space, word joiner, invisible operators, byte order mark
    (0x2060, 0x2064),
    (0xFEFF, 0xFEFF),
    (0xFFF9, 0xFFFB),  # interlinear annotation
    (0xFDD0, 0xFDEF),  # noncharacters
    (0xFFFE, 0xFFFF),
)
_BLANK = ((0x09, 0x09), (0x20, 0x20), (0xA0, 0xA0), (0x2000, 0x200A), (0x202F, 0x202F), (0x3000, 0x3000))


def _re2(ranges: tuple[tuple[int, int], ...]) -> str:
    return "".join(rf"\x{{{first:x}}}-\x{{{last:x}}}" for first, last in ranges)


def _python(ranges: tuple[tuple[int, int], ...]) -> str:
    return "".join(rf"\U{first:08x}-\U{last:08x}" for first, last in ranges)


UNTIDY = rf"[{_re2(_LINE_ENDS + _INVISIBLE)}]|[{_re2(_BLANK)}](?:\n|\z)"
"""RE2: what a text must hold to be changed by anything but normalisation and repair."""
_LINE_END = re.compile(rf"\r\n|[{_python(_LINE_ENDS)}]")
_REMOVED = re.compile(rf"[{_python(_INVISIBLE)}]+")
_BLANKS = "".join(chr(point) for first, last in _BLANK for point in range(first, last + 1))
_ASCII_LINE_ENDS = bytes.maketrans(b"\x0b\x0c\r", b"\n\n\n")
_ASCII_REMOVED = bytes(point for first, last in _INVISIBLE for point in range(first, last + 1) if point < 0x80)

# ftfy's own test costs 3 to 12 MB/s. Everything it finds holds a C1 control, one of six letters, or two neighbours
# from the single-byte code pages of which one is no plain Greek or Cyrillic letter; RE2 finds those at 500 MB/s.
_ODD = "¡-¬®-¶¸-¿À-žƒˆˇ˘-˝ΆΈ-ΏΐΪ-ΰ΄΅‘‚“-„†-•‰‹›⁄€₧™№∂∆∏∑√∞∩∫≈≠≡≤≥⌐─-◊ﬁﬂ\uf8ff\ufffdҐґ"
_PAGE = _ODD + "Α-ωЁ-џ"
SUSPICIOUS = f"[\x80-\x9fÂÃÎÐØÙŒœ√\ufffd]|[{_ODD}][{_PAGE}]|[{_PAGE}][{_ODD}]|вЂ"
"""RE2 and `re`: a text without this holds no mojibake that ftfy would see."""
_SUSPICIOUS = re.compile(SUSPICIOUS)


class Unicode(Cleaner):
    """Bring text into one Unicode form.

    In this order: mojibake is repaired line by line (ftfy, encoding errors only, and only in lines that ftfy's own
    heuristic calls bad); CR LF, CR, VT, FF, NEL, U+2028 and U+2029 become a newline; control, zero-width and
    bidirectional format characters go (zero-width joiner and non-joiner stay: Persian, Indic scripts and emoji need
    them); the text is normalised; white space at line ends goes. Rows that need nothing are not touched; a null
    stays null. With `repair: off` cleaning twice is cleaning once.
    """

    depends = ("ftfy",)

    class Options(Cleaner.Options):
        """What to do; the defaults suit a training corpus."""

        form: Literal["NFC", "NFKC"] = option("NFC", help="Unicode normal form; NFKC also folds width and ligatures")
        repair: Literal["auto", "off"] = option("auto", help="mojibake: repair lines that look broken, or leave them")

    def clean(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Return the batch with its text column rewritten where it must be."""
        import numpy as np
        import pyarrow as pa
        import pyarrow.compute as pc

        texts = self.texts(batch)
        rows = np.flatnonzero(self._candidates(texts))
        if len(rows) == 0:
            return batch
        found = texts.take(pa.array(rows)).to_pylist()
        cleaned = [self.clean_text(text) for text in found]
        changed = np.fromiter(
            (new is not old and new != old for new, old in zip(cleaned, found, strict=True)), np.bool_
        )
        if not changed.any():
            return batch
        mask = np.zeros(len(texts), np.bool_)
        mask[rows[changed]] = True
        news = pa.array([new for new, new_one in zip(cleaned, changed, strict=True) if new_one], pa.large_string())
        column = pc.replace_with_mask(texts, pa.array(mask), news)
        index = batch.schema.get_field_index(self.column)
        return batch.set_column(index, batch.schema.field(index), column)

    def clean_text(self, text: str) -> str:
        """Return one text cleaned."""
        if text.isascii():
            plain = text.encode().replace(b"\r\n", b"\n").translate(_ASCII_LINE_ENDS, _ASCII_REMOVED)
            text = plain.decode()
        else:
            text = _repair(text) if self.options.repair == "auto" else text
            text = _REMOVED.sub("", _LINE_END.sub("\n", text))
            text = unicodedata.normalize(self.options.form, text)
        return "\n".join([line.rstrip(_BLANKS) for line in text.split("\n")])

    def _candidates(self, texts: pa.LargeStringArray) -> npt.NDArray[np.bool_]:
        """Return bool (rows,): True wherever cleaning might change something."""
        import numpy as np
        import pyarrow.compute as pc

        flags = pc.match_substring_regex(texts, UNTIDY)
        if self.options.repair == "auto":
            flags = pc.or_(flags, pc.match_substring_regex(texts, SUSPICIOUS))
        candidates = flags.fill_null(False).to_numpy(zero_copy_only=False).copy()
        plain = pc.string_is_ascii(texts).fill_null(True).to_numpy(zero_copy_only=False)
        open_rows = np.flatnonzero(~plain & ~candidates)
        normal = unicodedata.is_normalized
        for row, text in zip(open_rows.tolist(), texts.take(open_rows).to_pylist(), strict=True):
            candidates[row] = not normal(self.options.form, text)
        return candidates


def _repair(text: str) -> str:
    """Undo mojibake in the lines that have some."""
    import ftfy
    from ftfy.badness import is_bad

    def repaired(line: str) -> str:
        return ftfy.fix_encoding(line) if _SUSPICIOUS.search(line) and is_bad(line) else line

    return "\n".join(map(repaired, text.split("\n")))
