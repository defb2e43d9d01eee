"""clean.half-width: ２０２６年 becomes 2026年, Ｍｉｌｌ becomes Mill; ，。！ stay as they are."""

import string

from corpusmill import Cleaner, hookimpl, option

LETTERS = {ord(one) + 0xFEE0: one for one in string.ascii_letters + string.digits}


class HalfWidth(Cleaner):
    """Write full-width Latin letters and digits, as Chinese and Japanese input methods make them, as ordinary ones."""

    class Options(Cleaner.Options):
        drop_empty: bool = option(True, help="drop documents without any text")

    def clean_text(self, text):
        if self.options.drop_empty and not text.strip():
            return None
        return text.translate(LETTERS)


@hookimpl
def corpusmill_register(registry):
    registry.cleaner("half-width", HalfWidth, "Write full-width letters and digits as ordinary ones.")
