"""Conversions into other libraries: which are there, and Hugging Face datasets in memory or as a stream."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from corpusmill.errors import UsageError

if TYPE_CHECKING:
    import datasets

    from corpusmill.face.dataset import Dataset


def needed(module: str, by: str, requirement: str | None = None) -> None:
    """Raise UsageError with the pip command where a library that a method needs is not installed."""
    if find_spec(module) is None:
        raise UsageError(
            f"{by} needs {module}, which is not installed",
            expected=f"{module} in this Python environment",
            hint=f"pip install '{requirement}'" if requirement else f"pip install {module}",
        )


def hf_dataset(dataset: Dataset) -> datasets.Dataset:
    """Return all documents as a `datasets.Dataset` over one Arrow table in memory."""
    import datasets
    from datasets.table import InMemoryTable

    return datasets.Dataset(InMemoryTable(dataset.to_arrow()))


def hf_stream(dataset: Dataset) -> datasets.IterableDataset:
    """Return a `datasets.IterableDataset`; its shards are the files of the dataset."""
    import datasets

    features = datasets.Features.from_arrow_schema(dataset.schema)
    numbers = list(range(len(dataset.stored.entries)))
    if not numbers:
        return hf_dataset(dataset).to_iterable_dataset()
    given = {"dataset": dataset, "numbers": numbers}
    return datasets.IterableDataset.from_generator(_documents, features=features, gen_kwargs=given)


def _documents(dataset: Dataset, numbers: Sequence[int]) -> Iterator[dict[str, Any]]:
    """Yield the documents of some of the files: what `datasets` calls with a share of the numbers."""
    from corpusmill.face.dataset import rows_of

    for number in numbers:
        for batch in rows_of(dataset, dataset.stored.entries[number]):
            yield from batch.to_pylist()
