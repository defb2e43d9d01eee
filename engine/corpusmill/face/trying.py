"""Trying one operator on a sample: what `corpusmill try` does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from corpusmill.errors import CorpusmillError, PluginError, UsageError
from corpusmill.face.apply import needed_columns
from corpusmill.face.chosen import DOCUMENT_KINDS, Chosen, build, checked_options, choose
from corpusmill.face.deduplication import checked_step, fates
from corpusmill.face.sample import Sample, sample_file, sample_reference, sample_texts
from corpusmill.face.trial import Announce, Trial, Tried, try_rows, unannounced
from corpusmill.face.workbench import Workbench
from corpusmill.plan.checked import CheckedSpec
from corpusmill.plan.stages import Stage
from corpusmill.plugin.finder import load_registry
from corpusmill.runner.driver import RUNNERS
from corpusmill.runner.records import DEFAULT_STORE
from corpusmill.spec.model import Spec
from corpusmill.testing.attempt import Raised, attempt


def trial(
    operator: str,
    *,
    on: str | None = None,
    texts: Sequence[str] = (),
    rows: int = 20,
    options: Mapping[str, Any] | None = None,
    name: str | None = None,
    column: str | None = None,
    seed: int = 0,
    store: str = DEFAULT_STORE,
    announce: Announce = unannounced,
) -> Trial:
    """Try an operator on the first `rows` documents of `on`, or on texts.

    `operator`: a plugin file or a name; `name`: which operator of the file. `on`: a file (or glob) that some reader
    reads, or a reference to documents in `store`. `column`: the field or column with the text. `announce` is called
    before the operator is. Raises what `apply` raises, but for what the operator raises on a document: that is told
    with the document.
    """
    chosen = choose(operator, name)
    if chosen.kind not in DOCUMENT_KINDS:
        raise UsageError(
            f"{chosen.uses} cannot be tried on documents",
            expected=f"a kind among {', '.join(DOCUMENT_KINDS)}",
            hint="corpusmill plugins check FILE tries operators of every kind",
        )
    checked = checked_options(chosen, options or {}, "--with {}")
    foreign = on is not None and on.startswith(("run:", "store:"))
    text_column = column if foreign and column is not None else "text"
    announce(chosen.uses, None)
    built = attempt(
        chosen.operator, lambda: _declared(build(chosen, checked, column=text_column, seed=seed, store=store))
    )
    if isinstance(built, Raised):
        raise _unusable(chosen, built)
    sample = _sample(on, texts, rows, column, built, store, foreign=foreign)
    needed_columns(chosen.uses, built, sample.table.column_names)
    tried = try_rows(built, chosen.uses, sample.table, chosen.local, announce)
    if chosen.kind == "dedup" and not any(one.failure for one in tried):
        tried = _together(chosen, checked, sample.table, text_column, seed, tried)
    return Trial(chosen.step, chosen.uses, tuple(tried), rejected=sample.rejected, damaged=sample.damaged)


def _declared(operator: Any) -> Any:
    """Ask an operator for its declarations once, so that a faulty one is told before any document is read."""
    operator.reads(), operator.adds(), operator.drops()
    return operator


def _sample(
    on: str | None, texts: Sequence[str], rows: int, column: str | None, operator: Any, store: str, *, foreign: bool
) -> Sample:
    if on is None:
        return sample_texts(texts)
    return sample_reference(on, rows, store) if foreign else sample_file(on, rows, column, operator.reads())


def _unusable(chosen: Chosen, raised: Raised) -> Exception:
    if isinstance(raised.error, CorpusmillError):
        return raised.error
    return PluginError(
        f"{chosen.uses} cannot be set up: {raised.words}", where=raised.where, expected="an operator that starts"
    )


def _together(
    chosen: Chosen, options: Any, table: pa.Table, column: str, seed: int, alone: Sequence[Tried]
) -> list[Tried]:
    """Let the engine's own stage find the duplicates among the documents."""
    with Workbench() as bench:
        step = checked_step(chosen, options, column, bench.publish(table.to_batches(), table.schema).digest)
        spec = Spec("try", seed=seed, base=Path.cwd())
        session = bench.session(CheckedSpec(spec, (step,), load_registry(chosen.local), chosen.local), isolated=False)
        RUNNERS["dedup"](session, Stage("dedup", (step,), ""))
        return fates(session, step, alone)
