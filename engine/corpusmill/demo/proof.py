"""The proof: what a run under fire published, held against a calm run's, and how to check it by hand."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from corpusmill.demo.published import Published, PublishedFile
from corpusmill.report.plain import count
from corpusmill.spec.units import format_size

SUMS = "calm.sha256"


@dataclass(frozen=True)
class Finding:
    """One claim that was checked: what holds, in words, and each thing that does not."""

    name: str
    told: str
    differences: tuple[str, ...]


def prove(calm: Published, chaos: Published) -> list[Finding]:
    """Compare two runs: digests, stored files, exported files, accounting."""
    steps = chaos.counts["steps"]
    stored, exported = calm.files, calm.exported
    return [
        Finding(
            "digests",
            f"{len(calm.digests)} outputs of steps, each with the digest of the calm run",
            tuple(_differences("output", calm.digests, chaos.digests)),
        ),
        Finding(
            "store",
            f"{count(len(stored))} files ({_size(stored)}), the same byte for byte",
            (*chaos.missing, *_differences("file", _sums(stored), _sums(chaos.files))),
        ),
        Finding(
            "export",
            f"{count(len(exported))} files ({_size(exported)}), the same byte for byte",
            tuple(_differences("file", _sums(exported), _sums(chaos.exported))),
        ),
        Finding(
            "accounting",
            f"every record accounted for in {len(steps)} steps, as in the calm run",
            (*_escaped(steps), *_differences("count of", _flat(calm.counts), _flat(chaos.counts))),
        ),
    ]


def _differences(what: str, calm: Mapping[str, Any], chaos: Mapping[str, Any]) -> Iterable[str]:
    for name in sorted(calm.keys() | chaos.keys()):
        if name not in chaos:
            yield f"{what} {name}: missing"
        elif name not in calm:
            yield f"{what} {name}: only in the run that was killed"
        elif calm[name] != chaos[name]:
            yield f"{what} {name}: {chaos[name]} instead of {calm[name]}"


def _escaped(steps: Mapping[str, Any]) -> Iterable[str]:
    """The identity that no record may escape, step by step."""
    for step, one in steps.items():
        gone = sum(one["removed"].values()) + sum(one["quarantined"].values())
        if one["in"] + one["added"] != one["out"] + gone:
            yield f"step {step}: {one['in']} in + {one['added']} added, but {one['out']} out + {gone} gone"


def _flat(counts: Mapping[str, Any]) -> dict[str, Any]:
    steps = {f"{step} {name}": value for step, one in counts["steps"].items() for name, value in one.items()}
    return {**steps, "quarantine": counts["quarantine"], "damaged": counts["damaged"]}


def _sums(files: Iterable[PublishedFile]) -> dict[str, str]:
    return {one.name: one.sha256 for one in files}


def _size(files: Iterable[PublishedFile]) -> str:
    return format_size(sum(one.bytes for one in files))
