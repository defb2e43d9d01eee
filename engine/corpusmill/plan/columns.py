"""Columns and split labels as they flow from step to step; a column that nobody makes is found here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from corpusmill.dataset.schema import ENGINE_COLUMNS, SPLIT, SPLIT_TYPE, canonical_type, is_text
from corpusmill.errors import nearest
from corpusmill.plan.facts import Columns, Facts
from corpusmill.plan.options import find_value
from corpusmill.plugin.ports import Port
from corpusmill.plugin.row_kinds import Splitter
from corpusmill.spec.model import Ref
from corpusmill.spec.problems import Mark, Problems

if TYPE_CHECKING:
    import pyarrow as pa

Splits = tuple[str, ...] | None
_LABELLED = ("documents", "tokens", "metrics", "files")


class Flow:
    """Follows columns and labels; steps must come in an order in which none stands before what it needs."""

    def __init__(self, by_id: Mapping[str, Facts], problems: Problems) -> None:
        self.by_id, self.problems = by_id, problems

    def take(self, facts: Facts) -> None:
        """Check what one step reads, and fill in what it makes."""
        if facts.operator is None:
            return
        for name, refs in facts.inputs.items():
            for ref in refs:
                self._check_label(facts, ref)
            self._check_roles(facts, facts.operator.ports()[name], name, refs)
        main = _main_port(facts)
        for name, port in facts.operator.ports().items():
            if port.artifact == "documents" and name in facts.inputs:
                columns = self._union(facts, facts.inputs[name])
                self._check_reads(facts, port, columns)
                if name == main:
                    facts.input_columns = columns
        self._make(facts, main)

    def _make(self, facts: Facts, main: str | None) -> None:
        assert facts.operator is not None
        if facts.operator.output in _LABELLED:
            facts.splits = self._splits(facts.inputs.get(main or "", ()))
        else:
            facts.splits = ()
        if isinstance(facts.instance, Splitter):
            facts.splits = tuple(facts.instance.labels())
        if facts.operator.output == "documents" and facts.instance is not None and facts.columns is None:
            facts.columns = _after(facts, facts.input_columns)

    def _union(self, facts: Facts, refs: Sequence[Ref]) -> Columns | None:
        parts = [(ref, self._of(ref)) for ref in refs]
        if any(columns is None for _, columns in parts):
            return None
        types: dict[str, pa.DataType] = {}
        makers: dict[str, str] = {}
        guessed: frozenset[str] = frozenset()
        for ref, columns in parts:
            assert columns is not None
            guessed |= columns.guessed
            for name, kind in columns.types.items():
                if types.setdefault(name, kind) != kind and name not in guessed:
                    what = f"column {name!r} is {types[name]} in {makers[name]!r} and {kind} in {ref.text!r}"
                    expected = "the same type in all inputs of a union"
                    self.problems.add(what, ref.mark, step=facts.id, expected=expected)
                makers.setdefault(name, ref.text)
        return Columns(types, guessed, any(columns.open for _, columns in parts if columns))

    def _of(self, ref: Ref) -> Columns | None:
        source = self.by_id.get(ref.step or "") if ref.local else None
        if source is None:
            return None
        if ref.output is None:
            return source.columns
        return source.input_columns if ref.output == "removed" else None

    def _check_reads(self, facts: Facts, port: Port, columns: Columns | None) -> None:
        if columns is None or columns.open or facts.instance is None:
            return
        for name in dict.fromkeys((*facts.instance.reads(), *port.columns)):
            if name not in columns.types:
                self._nobody_makes(facts, name, columns)
            elif name == facts.step.column and name not in columns.guessed and not is_text(columns.types[name]):
                self._no_text(facts, name, columns)

    def _no_text(self, facts: Facts, name: str, columns: Columns) -> None:
        """Say that the column to work on holds something else: whatever reads it as text would read at random."""
        texts = [one for one, kind in columns.types.items() if is_text(kind)]
        what = f"column {name!r} is {columns.types[name]}, and {facts.step.uses} works on text"
        hint = f"corpusmill plugins show {facts.step.uses}"
        expected = f"a column of text: {', '.join(texts)}"
        self.problems.add(what, _column_mark(facts, name), step=facts.id, expected=expected, hint=hint)

    def _nobody_makes(self, facts: Facts, name: str, columns: Columns) -> None:
        makers = [other.id for other in self.by_id.values() if other is not facts and _makes(other, name)]
        hint = f"step {makers[0]!r} makes it: put it before, or name it in `needs`" if makers else None
        known = sorted(columns.types)
        what = f"column {name!r} is made by no step before"
        expected = f"one of {', '.join(known)}"
        near = nearest(name, known)
        self.problems.add(what, _column_mark(facts, name), step=facts.id, expected=expected, near=near, hint=hint)

    def _splits(self, refs: Sequence[Ref]) -> Splits:
        found: list[str] = []
        for ref in refs:
            labels = self._labels(ref)
            if labels is None:
                return None
            found += [label for label in labels if label not in found]
        return tuple(found)

    def _labels(self, ref: Ref) -> Splits:
        if ref.split is not None:
            return (ref.split,)
        source = self.by_id.get(ref.step or "") if ref.local else None
        if source is None or source.operator is None:
            return None
        return source.splits if ref.output in (None, "removed") else ()

    def _check_label(self, facts: Facts, ref: Ref) -> None:
        source = self.by_id.get(ref.step or "") if ref.local else None
        if source is None or ref.split is None or source.operator is None or source.splits is None:
            return
        if ref.split in source.splits:
            return
        outputs = [] if ref.output else sorted(source.operator.outputs)
        known = [*outputs, *source.splits]
        what = f"unknown output or split {ref.split!r} of step {source.id!r}"
        expected = f"one of {', '.join(known)}" if known else f"{source.id}: it has no further outputs and no splits"
        hint = None if source.splits else f"no step before {source.id!r} splits the documents (split.by-hash does)"
        near = nearest(ref.split, known)
        self.problems.add(what, ref.mark, step=facts.id, expected=expected, near=near, hint=hint)

    def _check_roles(self, facts: Facts, port: Port, name: str, refs: Sequence[Ref]) -> None:
        """Where roles are taken from labels, the required ones must be among them."""
        required = [role for role in port.roles if not role.endswith("?")]
        if not required or any(ref.role is not None for ref in refs):
            return
        labels = self._splits(refs)
        missing = [role for role in required if labels is not None and role not in labels]
        if not missing:
            return
        has = f"the labels {', '.join(labels)}" if labels else "no split labels"
        what = f"port {name!r} takes its roles from split labels, but {refs[0].text!r} has {has}"
        hint = f"needs: {{{name}: {{{missing[0]}: {refs[0].text}}}}}"
        self.problems.add(what, refs[0].mark, step=facts.id, expected=f"the label {', '.join(missing)}", hint=hint)


def reader_columns(types: Mapping[str, pa.DataType], *, guessed: bool, open_: bool) -> Columns:
    """The columns after a reader: its own, and those the engine makes."""
    own = {name: canonical_type(kind) for name, kind in types.items()}
    columns = {"id": ENGINE_COLUMNS["id"], **own, **{n: t for n, t in ENGINE_COLUMNS.items() if n not in own}}
    columns["id"] = ENGINE_COLUMNS["id"]
    unsure = frozenset(own) - {"text"} if guessed else frozenset()
    return Columns(columns, unsure, open_)


def _after(facts: Facts, columns: Columns | None) -> Columns | None:
    """The columns after a step, from those before it."""
    if columns is None or facts.instance is None:
        return None
    added = {name: canonical_type(kind) for name, kind in facts.instance.adds().items()}
    types = {**columns.types, **added, **_engine_adds(facts)}
    dropped = set(facts.instance.drops())
    kept = {name: kind for name, kind in types.items() if name not in dropped}
    return Columns(kept, columns.guessed - added.keys(), columns.open)


def _engine_adds(facts: Facts) -> dict[str, pa.DataType]:
    import pyarrow as pa

    kind = facts.operator.kind if facts.operator else ""
    if kind == "augment":
        return {"augmented_from": pa.string(), "augmentation": pa.string()}
    return {SPLIT: SPLIT_TYPE} if kind == "split" else {}


def _makes(facts: Facts, name: str) -> bool:
    if facts.instance is None:
        return False
    return name in facts.instance.adds() or name in _engine_adds(facts)


def _main_port(facts: Facts) -> str | None:
    """The port whose rows go through the step: `documents`, or the first of documents or tokens."""
    assert facts.operator is not None
    ports = facts.operator.ports()
    fit = [name for name, port in ports.items() if port.artifact in ("documents", "tokens") and name in facts.inputs]
    return "documents" if "documents" in fit else fit[0] if fit else None


def _column_mark(facts: Facts, name: str) -> Mark:
    step = facts.step
    if ("column",) in step.marks and step.column == name:
        return step.place("column")
    place = find_value(step.options, name)
    return step.place("with", *place) if place is not None else step.mark
