"""Claims about declared columns, rows and verdicts: an operator does what it says, to the rows it was given."""

from __future__ import annotations

import re
from typing import Any

from corpusmill.testing.attempt import Raised, attempt
from corpusmill.testing.bench import Bench
from corpusmill.testing.claims import Claim, promised
from corpusmill.testing.comparison import first_difference
from corpusmill.testing.findings import Fault, NotApplicable
from corpusmill.testing.outcomes import ROW_KINDS, outcome
from corpusmill.testing.shrinking import Texts, smallest

_OTHER = "body"
_LABEL = re.compile(r"[a-z][a-z0-9-]*")


def check_reads(bench: Bench) -> Fault | None:
    """With the declared columns alone it gives the same; other columns change nothing."""
    whole = list(bench.made().values())
    batch = bench.batch(bench.texts)
    declared = [name for name in batch.schema.names if name == "id" or name in bench.reads]
    found = attempt(bench.operator, lambda: outcome(bench.one, batch.select(declared)))
    if isinstance(found, Raised):
        seen = f"with the columns {', '.join(declared)} alone it raised {found.words}"
        return Fault(seen, where=found.where)
    row = first_difference(whole, found, exact=bench.exact)
    if row is None:
        return None
    for name in (one for one in batch.schema.names if one not in declared):
        names = [one for one in batch.schema.names if one != name]
        if first_difference(whole, outcome(bench.one, batch.select(names)), exact=bench.exact) is not None:
            texts = smallest([bench.texts[row]], lambda some, names=names: _differs(bench, some, names))  # type: ignore[misc]
            return bench.fault(f"its result depends on the column {name!r}, which reads() does not name", texts)
    return bench.fault("its result depends on columns that reads() does not name", [bench.texts[row]])


def check_column(bench: Bench) -> Fault | None:
    """On a text column of another name it makes what it makes on `text`."""
    whole = list(bench.made().values())
    operator = bench.build(column=_OTHER)
    if "text" in operator.reads() or _OTHER not in operator.reads():
        raise NotApplicable("it reads the columns that its options name")
    batch = bench.batch(bench.texts)
    batch = batch.rename_columns([_OTHER if name == "text" else name for name in batch.schema.names])
    found = attempt(bench.operator, lambda: outcome(operator, batch))
    if isinstance(found, Raised):
        return Fault(f"with `column: {_OTHER}` it raised {found.words}", where=found.where)
    row = first_difference(whole, _renamed(found), exact=bench.exact)
    return None if row is None else bench.fault(f"with `column: {_OTHER}` it made something else", [bench.texts[row]])


def _renamed(value: Any) -> Any:
    """Return an outcome in which the other column is called `text`."""
    if isinstance(value, dict):
        return {"text" if name == _OTHER else name: _renamed(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(_renamed(one) for one in value)
    return value


def _differs(bench: Bench, texts: Texts, names: list[str]) -> bool:
    """True where these columns alone give something else than all of them."""
    batch = bench.batch(texts)
    return first_difference(outcome(bench.one, batch), outcome(bench.one, batch.select(names))) is not None


def check_labels(bench: Bench) -> Fault | None:
    """Labels are names that a spec can write, each once."""
    labels = tuple(bench.one.labels())
    if not labels or len(set(labels)) != len(labels):
        return bench.fault(f"labels() gives {labels!r}, which are not different names")
    wrong = [one for one in labels if not isinstance(one, str) or not _LABEL.fullmatch(one)]
    if wrong:
        return bench.fault(f"labels() gives {wrong[0]!r}; a spec writes labels as STEP.label in small letters")
    bench.made()
    return None


CLAIMS = (
    Claim(
        "adds",
        "an operator makes exactly the columns it declares, of the types it declares",
        "make adds() and what is returned agree in names and types",
        promised,
        (*ROW_KINDS, "read"),
    ),
    Claim(
        "rows",
        "every row that comes in goes out or has a verdict; ids, order and other columns stay",
        "return one result a row; drop rows by verdicts, make rows with an augmenter",
        promised,
        ROW_KINDS,
    ),
    Claim(
        "reads",
        "an operator reads no column that reads() does not name",
        "name the column in reads(), so that the plan can check that a step before makes it",
        check_reads,
        ROW_KINDS,
        ("memory",),
    ),
    Claim(
        "column",
        "an operator works on the text column that the step names (`column:`)",
        "take self.texts(batch) or batch[self.column], never batch['text']",
        check_column,
        ROW_KINDS,
        ("memory",),
    ),
    Claim(
        "verdicts",
        "a removed row names a rule that exists and a value that fails it",
        "return the measured value that decided; the ledger and whatif believe it",
        promised,
        ("filter", "clean"),
    ),
    Claim(
        "labels",
        "a splitter gives each row one of the labels it declares",
        "return an index into labels() for each row, and declare every label that can occur",
        check_labels,
        ("split",),
    ),
    Claim(
        "parents",
        "an augmenter's rows stand behind one another by parent, originals unchanged and at most once",
        "append the rows of one parent before those of the next; made_by is None for untouched originals only",
        promised,
        ("augment",),
    ),
)
