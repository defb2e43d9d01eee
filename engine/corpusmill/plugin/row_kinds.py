"""The row-wise kinds: clean, filter, annotate, augment, split; each asks for one method."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from corpusmill.errors import OperatorError
from corpusmill.plugin.operator import RowOperator
from corpusmill.plugin.option import Options, affects_result, option
from corpusmill.plugin.verdicts import Rule, Verdicts, decide

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa


class FilterOptions(Options):
    """What every filter understands."""

    signals: Literal["keep"] | None = option(
        None, help="store each document's measured values, to try other thresholds"
    )


class Filter(RowOperator):
    """Keeps rows or says why not: `measure` gives numbers, `rules` decides.

    Override `measure(batch)`, or `measure_text(text)` to think in documents. `judge` is the way out for decisions
    that are not thresholds; what it measured goes into its verdicts' `signals`.

    Steps of a pass that measure the same on the same columns measure once: same class, and equal `measurement()`.
    """

    kind = "filter"
    outputs: ClassVar[dict[str, str]] = {"removed": "documents"}
    thresholds: ClassVar[tuple[str, ...]] = ()
    """Options that only `rules` looks at: what `measure` returns is the same whatever they are."""

    Options = FilterOptions

    def __init_subclass__(cls, **more: Any) -> None:
        """Refuse a class whose `thresholds` name what is no option: a slip there would go unnoticed for ever."""
        super().__init_subclass__(**more)
        for name in cls.thresholds:
            if name not in cls.Options.model_fields:
                raise OperatorError(
                    f"thresholds of {cls.__name__} name {name!r}, which is none of its options",
                    where=f"{cls.__module__}.{cls.__qualname__}",
                    expected=f"names among {', '.join(cls.Options.model_fields)}",
                )

    def measurement(self) -> Any:
        """Return all that `measure` depends on beside the rows, JSON-able: equal for two steps, equal signals.

        By default all options that can change a result but those named in `thresholds`. Override it where that says
        too little (a filter that leaves out signals nobody asks for); None: never share with another step.
        """
        options = type(self.options)
        ignored = {
            "signals",
            *self.thresholds,
            *(name for name in options.model_fields if not affects_result(options, name)),
        }
        return self.options.model_dump(mode="json", exclude=ignored)

    def measure(self, batch: pa.RecordBatch) -> Mapping[str, Any]:
        """Return signal -> one number a row."""
        measured = [self.measure_text(text.as_py() or "") for text in self.texts(batch)]
        names = measured[0].keys() if measured else [rule.signal for rule in self.rules()]
        return {name: _floats(row[name] for row in measured) for name in names}

    def measure_text(self, text: str) -> Mapping[str, float]:
        """Return signal -> number for one document; a null text comes as the empty string."""
        raise NotImplementedError(f"{type(self).__name__} must define measure(batch) or measure_text(text)")

    def rules(self) -> Sequence[Rule]:
        """The rules in order; the first that fails is the reason."""
        raise NotImplementedError(f"{type(self).__name__} must define rules()")

    def judge(self, batch: pa.RecordBatch) -> Verdicts:
        """Return one verdict a row."""
        return decide(self.measure(batch), self.rules(), batch.num_rows)


class Cleaner(RowOperator):
    """Rewrites text; may also drop rows by returning verdicts beside the batch.

    Override `clean(batch)`, or `clean_text(text)` to think in documents (None drops the document).
    """

    kind = "clean"
    outputs: ClassVar[dict[str, str]] = {"removed": "documents"}

    def clean(self, batch: pa.RecordBatch) -> pa.RecordBatch | tuple[pa.RecordBatch, Verdicts]:
        """Return the batch with the same rows and a rewritten text column, or (batch, verdicts)."""
        import numpy as np
        import pyarrow as pa

        texts = [self.clean_text(text.as_py() or "") for text in self.texts(batch)]
        index = batch.schema.get_field_index(self.column)
        column = pa.array([text or "" for text in texts], pa.large_string())
        cleaned = batch.set_column(index, pa.field(self.column, pa.large_string()), column)
        if all(text is not None for text in texts):
            return cleaned
        rule = np.array([-1 if text is not None else 0 for text in texts], np.int32)
        return cleaned, Verdicts((Rule("dropped", "most", 0.0),), rule, np.full(len(texts), np.nan))

    def clean_text(self, text: str) -> str | None:
        """Return the cleaned text of one document, or None to drop it."""
        raise NotImplementedError(f"{type(self).__name__} must define clean(batch) or clean_text(text)")


class Annotator(RowOperator):
    """Adds columns; declare them with `adds()`."""

    kind = "annotate"

    def annotate(self, batch: pa.RecordBatch) -> Mapping[str, pa.Array]:
        """Return column -> Arrow array, one value a row, exactly the columns `adds()` names."""
        raise NotImplementedError


@dataclass(frozen=True)
class Augmented:
    """What an augmenter made of a batch.

    `batch`: the rows, originals included where they stay. `parent`: int64 (rows,), the input row of each.
    `made_by`: what was done to each row, None for an untouched original.
    """

    batch: pa.RecordBatch
    parent: npt.NDArray[np.int64]
    made_by: Sequence[str | None]


class Augmenter(RowOperator):
    """Makes 0..n rows from one; the engine gives new rows their ids and records parent and deed.

    Rows must stay grouped by parent, in input order. The engine adds `augmented_from` (the parent's id) and
    `augmentation` (what was done), null for originals.
    """

    kind = "augment"
    uses_seed = True

    def augment(self, batch: pa.RecordBatch) -> Augmented:
        """Return the new rows with each one's parent."""
        raise NotImplementedError


class Splitter(RowOperator):
    """Labels rows; the engine stores the label in the column `split` and selects by it (`X.train`)."""

    kind = "split"
    uses_seed = True

    def labels(self) -> tuple[str, ...]:
        """All labels this splitter can give, in order."""
        raise NotImplementedError

    def split(self, batch: pa.RecordBatch) -> npt.NDArray[np.int32]:
        """Return int32 (rows,): an index into `labels()` for each row."""
        raise NotImplementedError


def _floats(values: Any) -> npt.NDArray[np.float64]:
    import numpy as np

    return np.fromiter(values, np.float64)
