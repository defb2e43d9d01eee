"""filter.stutter: 哈哈哈哈哈哈 and sooooooo and !!!!!!!! are not much of a text."""

from corpusmill import Filter, at_most, hookimpl, option


class Stutter(Filter):
    """Drop documents in which too many characters repeat the two before them."""

    thresholds = ("max_share",)

    class Options(Filter.Options):
        max_share: float = option(0.2, ge=0, le=1, help="largest share of characters that repeat", unit="share")

    def measure_text(self, text):
        repeated = sum(text[i] == text[i - 1] == text[i - 2] for i in range(2, len(text)))
        return {"stutter": repeated / max(len(text), 1)}

    def rules(self):
        return [at_most("stutter", self.options.max_share)]


@hookimpl
def corpusmill_register(registry):
    registry.filter("stutter", Stutter, "Drop documents that repeat characters.")
