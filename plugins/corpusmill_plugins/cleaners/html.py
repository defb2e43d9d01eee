"""clean.html: web pages to the text of their main content."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from corpusmill import KEPT, Cleaner, Rule, Verdicts, option

if TYPE_CHECKING:
    import pyarrow as pa

NO_TEXT = Rule("characters", "least", 1.0, "no-text")


class Html(Cleaner):
    """Extract the text of web pages.

    The text column holds decoded HTML. Paragraphs, headings and list items come out as lines. A page whose main
    content has no text is dropped with the reason `no-text`, and so is a null. Broken markup is not an error: both
    extractors repair it as browsers do. The result depends on the page and the extractor's version alone; a page
    that takes too long is the business of the step's `limits: {deadline: …}`, not of an option, because a clock
    would make the result depend on the machine.
    """

    depends = ("resiliparse", "trafilatura", "lxml")
    expensive = True

    class Options(Cleaner.Options):
        """Which extractor, and what counts as content."""

        extractor: Literal["resiliparse", "trafilatura"] = option(
            "resiliparse", help="resiliparse: about 500 pages/s a core; trafilatura: more precise, about 40 pages/s"
        )
        main_content: bool = option(True, help="leave out navigation, banners, footers; false takes all visible text")

    def clean(self, batch: pa.RecordBatch) -> tuple[pa.RecordBatch, Verdicts]:
        """Return the batch with the extracted text, and one verdict a row."""
        import numpy as np
        import pyarrow as pa

        extracted = [self.clean_text(page) if page else "" for page in self.texts(batch).to_pylist()]
        index = batch.schema.get_field_index(self.column)
        column = pa.array(extracted, pa.large_string())
        empty = np.fromiter((not text for text in extracted), np.bool_, len(extracted))
        verdicts = Verdicts((NO_TEXT,), np.where(empty, 0, KEPT).astype(np.int32), np.where(empty, 0.0, np.nan))
        return batch.set_column(index, pa.field(self.column, pa.large_string()), column), verdicts

    def clean_text(self, text: str) -> str:
        """Return the text of one page, the empty string where it has none."""
        extract = _resiliparse if self.options.extractor == "resiliparse" else _trafilatura
        return extract(text, self.options.main_content).strip()


def _resiliparse(page: str, main_content: bool) -> str:
    from resiliparse.extract.html2text import extract_plain_text

    return str(
        extract_plain_text(
            page,
            preserve_formatting=True,
            main_content=main_content,
            alt_texts=False,
            comments=False,
            list_bullets=True,
        )
    )


def _trafilatura(page: str, main_content: bool) -> str:
    import trafilatura

    if not main_content:
        return str(trafilatura.html2txt(page) or "")
    found = trafilatura.extract(page, favor_precision=True, include_comments=False, deduplicate=False)
    return str(found or "")
