"""The column that a step works on, held against the documents that reach it: text, or the run ends with a word."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from corpusmill.dataset.schema import is_text
from corpusmill.errors import UsageError
from corpusmill.plan.checked import CheckedStep


def expect_text(step: CheckedStep, operator: Any, schema: pa.Schema) -> None:
    """Raise UsageError where a step's column holds something else than text.

    The check says so where it knows the types. Those of another run's documents are known now; kernels that take
    numbers for places of text would read at random.
    """
    if step.column not in operator.reads() or step.column not in schema.names:
        return
    kind = schema.field(step.column).type
    if not is_text(kind):
        texts = [field.name for field in schema if is_text(field.type)]
        raise UsageError(
            f"column {step.column!r} is {kind}, and {step.uses} works on text",
            where=f"step {step.id}",
            expected=f"a column of text: {', '.join(texts)}",
            hint=f"corpusmill plugins show {step.uses}",
        )
