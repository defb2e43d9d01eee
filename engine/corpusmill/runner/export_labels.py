"""What an export makes of split labels, looked at before it writes: each document lies in the files of one label."""

from __future__ import annotations

from collections.abc import Sequence

from corpusmill.dataset.manifest import Entry
from corpusmill.errors import UsageError


def expect_labels(step: str, entries: Sequence[Entry]) -> None:
    """Raise UsageError where documents would be in no file."""
    labels = list(dict.fromkeys(label for entry in entries for label in entry.splits))
    rows = sum(entry.rows for entry in entries)
    labelled = sum(sum(entry.splits.values()) for entry in entries)
    if labels and labelled < rows:
        raise UsageError(
            f"{rows - labelled:,} of {rows:,} documents have no split label, and would be in no file of the export",
            where=f"step {step}",
            expected=f"a label on each document, beside {', '.join(map(repr, labels[:5]))}, or labels on none",
            hint="label them all (split.by-hash behind the union), or name the splits: needs: [STEP.train, …]",
        )
