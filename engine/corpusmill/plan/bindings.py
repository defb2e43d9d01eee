"""Ports: which reference feeds which input, by the rules of the spec language."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from corpusmill.errors import nearest
from corpusmill.plan.facts import Facts
from corpusmill.plugin.ports import Port
from corpusmill.spec.model import Ref
from corpusmill.spec.problems import Problems


class Binder:
    """Binds the ports of steps one by one; `order` is file order."""

    def __init__(self, order: Sequence[Facts], problems: Problems) -> None:
        self.order, self.problems = order, problems
        self.by_id: Mapping[str, Facts] = {facts.id: facts for facts in reversed(order)}
        self.by_index: Mapping[int, Facts] = {facts.step.index: facts for facts in order}

    def bind(self, facts: Facts) -> dict[str, tuple[Ref, ...]]:
        """Return port -> references of one step, after recording what does not fit."""
        assert facts.operator is not None
        ports = facts.operator.ports()
        needs = facts.step.needs
        if needs is None:
            return self._default(facts, ports)
        bound: dict[str, tuple[Ref, ...]] = {}
        meant = set(ports) if None in needs else {nearest(str(name), ports) for name in needs if name not in ports}
        for name, refs in needs.items():
            port = self._port_name(facts, ports, name, refs)
            if port is not None:
                bound[port] = tuple(self._checked(facts, port, ports[port], refs))
        for name, port_ in ports.items():
            if port_.required and name not in bound and name not in meant:
                self._unbound(facts, name, port_)
        return {name: refs for name, refs in bound.items() if refs}

    def _default(self, facts: Facts, ports: Mapping[str, Port]) -> dict[str, tuple[Ref, ...]]:
        required = [name for name, port in ports.items() if port.required]
        if len(required) != 1:
            for name in required:
                self._unbound(facts, name, ports[name])
            return {}
        name = required[0]
        index = facts.step.index
        before = self.by_index.get(index - 1)
        if before is None and facts.step.index:
            return {}  # what stands before is no step at all, which is said there
        if before is None or (before.operator and before.artifact(None) != ports[name].artifact):
            self._unbound(facts, name, ports[name])
            return {}
        return {name: (Ref(before.id, before.id, mark=facts.step.mark),)}

    def _port_name(self, facts: Facts, ports: Mapping[str, Port], name: str | None, refs: list[Ref]) -> str | None:
        step = facts.step
        if name is None:
            return self._unnamed(facts, ports)
        if name in ports:
            return name
        near = nearest(name, ports)
        known = ", ".join(_shown(port, ports[port]) for port in ports)
        expected = f"one of {known}" if ports else f"no inputs: {step.uses} takes none"
        mark = step.key_place("needs", name)
        self.problems.add(f"unknown port {name!r} of {step.uses}", mark, step=step.id, expected=expected, near=near)
        return None

    def _unnamed(self, facts: Facts, ports: Mapping[str, Port]) -> str | None:
        required = [name for name, port in ports.items() if port.required]
        candidates = required or list(ports)
        if len(candidates) == 1:
            return candidates[0]
        step = facts.step
        if not ports:
            if not step.needs or step.needs.get(None):
                what = f"{step.uses} takes no inputs"
                self.problems.add(what, step.place("needs"), step=step.id, hint="leave `needs` out")
            return None
        form = ", ".join(f"{name}: {ports[name].artifact.upper()}" for name in candidates)
        what = f"{step.uses} has {len(candidates)} ports; say which one is meant"
        self.problems.add(what, step.place("needs"), step=step.id, expected=f"needs: {{{form}}}")
        return None

    def _checked(self, facts: Facts, name: str, port: Port, refs: list[Ref]) -> list[Ref]:
        step = facts.step
        found = [ref for ref in (self._resolved(facts, name, port, ref) for ref in refs) if ref is not None]
        several = len([ref for ref in refs if ref.role is None]) > 1
        if several and not port.many and port.artifact != "documents":
            what = f"port {name!r} takes one {port.artifact}, not {len(refs)}"
            self.problems.add(what, refs[1].mark, step=step.id, expected="one reference")
        self._check_roles(facts, name, port, refs)
        return found

    def _resolved(self, facts: Facts, name: str, port: Port, ref: Ref) -> Ref | None:
        """Fill in output and label; labels are checked later, when they are known."""
        if not ref.local:
            return ref
        source = self.by_id.get(ref.step or "")
        if source is None:
            self.problems.unknown("step", ref.step or "", self.by_id, ref.mark, facts.id)
            return None
        if source.operator is None:
            return ref
        ref = _named(ref, source)
        if (len(ref.tail) > 1 and ref.output is None) or (len(ref.tail) == 2 and ref.split is None):
            outputs = ", ".join(f"{source.id}.{name}" for name in source.operator.outputs)
            forms = "STEP, STEP.OUTPUT, STEP.SPLIT or STEP.OUTPUT.SPLIT"
            expected = f"{forms}; outputs: {outputs}" if outputs else forms
            what = f"unknown output {ref.tail[0]!r} in {ref.text!r}"
            self.problems.add(what, ref.mark, step=facts.id, expected=expected)
            return None
        kind = source.artifact(ref.output)
        if kind != port.artifact:
            self._wrong_kind(facts, name, port, ref, source, kind)
            return None
        return ref

    def _wrong_kind(self, facts: Facts, name: str, port: Port, ref: Ref, source: Facts, kind: str | None) -> None:
        inside = source.offers(port.artifact)
        offers = inside or self._offers(facts, port)
        expected = f"{port.artifact}: {', '.join(offers)}" if offers else f"a step that makes {port.artifact}"
        what = f"port {name!r} takes {port.artifact}, but {ref.text!r} is {kind or 'nothing'}"
        self.problems.add(what, ref.mark, step=facts.id, expected=expected, near=inside[0] if inside else None)

    def _check_roles(self, facts: Facts, name: str, port: Port, refs: list[Ref]) -> None:
        roles = [role.rstrip("?") for role in port.roles]
        given = [ref for ref in refs if ref.role is not None]
        for ref in given:
            if ref.role not in roles:
                expected = f"one of {', '.join(roles)}" if roles else "a reference: this port has no split roles"
                what = f"unknown split role {ref.role!r} of port {name!r}"
                mark = facts.step.key_place("needs", name, str(ref.role))
                near = nearest(str(ref.role), roles)
                self.problems.add(what, mark, step=facts.id, expected=expected, near=near)
        meant = {nearest(str(ref.role), roles) for ref in given if ref.role not in roles}
        there = {ref.role for ref in given} | meant
        missing = [role for role in port.roles if not role.endswith("?") and role not in there]
        if given and missing:
            what = f"port {name!r} needs the split role {', '.join(missing)!r}"
            self.problems.add(
                what, facts.step.place("needs", name), step=facts.id, expected=f"{{{missing[0]}: STEP, …}}"
            )

    def _unbound(self, facts: Facts, name: str, port: Port) -> None:
        step = facts.step
        offers = self._offers(facts, port)
        others = [other for other in facts.operator.ports() if other != name] if facts.operator else []
        what = f"input {name!r} ({port.artifact}) of {step.uses} is not bound"
        if step.needs is None and not others:
            before = self.by_index.get(step.index - 1)
            reason = (
                f"the step before, {before.id!r}, makes {before.artifact(None)}" if before else "no step stands before"
            )
            what = f"{what}: {reason}"
        expected = f"one of {', '.join(offers)}" if offers else f"a step before that makes {port.artifact}"
        plain = [offer for offer in offers if "." not in offer]
        hint = f"needs: {{{name}: {(plain or offers)[-1]}}}" if offers else None
        mark = step.place("needs") if step.needs is not None else step.mark
        self.problems.add(what, mark, step=step.id, expected=expected, hint=hint)

    def _offers(self, facts: Facts, port: Port) -> list[str]:
        before = [other for other in self.order if other.step.index < facts.step.index]
        return [text for other in before for text in other.offers(port.artifact)]


def _named(ref: Ref, source: Facts) -> Ref:
    assert source.operator is not None
    tail = ref.tail
    output = tail[0] if tail and tail[0] in source.operator.outputs else None
    rest = tail[1:] if output else tail
    return replace(ref, output=output, split=rest[0] if len(rest) == 1 else None)


def _shown(name: str, port: Port) -> str:
    return f"{name} ({port.artifact}{'' if port.required else ', optional'})"
