"""What a unit records, with no secret in it: reasons and details of ledgers, quarantines, counts and signals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from corpusmill.spec.secrets import redact, redact_values

Secrets = Mapping[str, str]
"""Value of an environment variable that the spec uses -> what is shown in its place."""


def concealed_table(table: pa.Table, columns: Sequence[str], secrets: Secrets) -> pa.Table:
    """Return the table with secrets hidden in these text columns: a rule or an error may quote an option."""
    for name in columns if secrets and table.num_rows else ():
        encoded = table[name].combine_chunks().dictionary_encode()
        words = [None if one is None else redact(one, secrets) for one in encoded.dictionary.to_pylist()]
        column = pa.array(words, table.schema.field(name).type).take(encoded.indices)
        table = table.set_column(table.schema.get_field_index(name), table.schema.field(name), column)
    return table


def concealed_counts(counts: Mapping[str, Any], secrets: Secrets) -> dict[str, Any]:
    """Return a step's counts with secrets hidden in the reasons."""
    return {**counts, **{name: redact_values(counts[name], secrets) for name in ("removed", "quarantined")}}


def concealed_signals(signals: Mapping[str, Any], secrets: Secrets) -> dict[str, Any]:
    """Return what a step measured with secrets hidden in the reasons of its rules."""
    rules = [[signal, side, threshold, redact(reason, secrets)] for signal, side, threshold, reason in signals["rules"]]
    return {**signals, "rules": rules}
