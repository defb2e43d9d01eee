"""docs/reliability.md as the results make it: what is promised, how to prove it, one table a section."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

ORDER = (
    "crash_points",
    "kills",
    "resume_time",
    "faulty_plugins",
    "mutations",
    "commit_cost",
    "ledger_size",
    "soak",
)
"""Sections in the order of the page; any other comes after them."""

HEAD = """\
# Reliability: what is promised, and the proof

1. A published dataset is complete, checksummed, and made by exactly one plan.
2. Killing anything at any time never changes what is published.
3. Running again finishes the work, redoing at most the units of work in flight, and gives the same bytes, whatever the
   number of workers, batch sizes or restarts, inline or on Ray.
4. Every record is accounted for: `read + added = kept + removed(reason) + quarantined(reason)`, checked by the engine
   itself in every run.
5. Nothing is installed, downloaded or sent at run time unless the spec asks for it.

The exact words, each with its tests, are in the [README](../README.md#promises). One command proves them on your own
machine, kills and crashes included, and writes this page anew with your figures:

    make reliability

`make reliability SECTIONS=kills` runs one section, `SCALE=small` less of each; all at full scale takes two hours on two
cores. `make soak` kills at random for half an hour while a million documents go through. And in a few minutes, before
your eyes: this runs the quickstart while killing its own workers and driver, and compares the bytes with a calm run's.

    corpusmill demo --chaos

Everything below was measured, nothing is written by hand: each table is one file of
[benchmarks/results/reliability](../benchmarks/results/reliability), made by the module of the same name in
[benchmarks/reliability](../benchmarks/reliability).
"""


def in_order(names: Iterable[str]) -> list[str]:
    """Return section names in the order of the page."""
    return sorted(names, key=lambda name: (ORDER.index(name) if name in ORDER else len(ORDER), name))


def render(results: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the whole page: a pure function of the results."""
    return "\n".join([HEAD, *(section(results[name]) for name in in_order(results))])


def section(result: Mapping[str, Any]) -> str:
    """Return one section: its table, its notes, and on what it was measured."""
    columns, rows = result["columns"], result["rows"]
    numeric = [all(isinstance(row[index], int | float) for row in rows) for index in range(len(columns))]
    lines = [f"## {result['title']}", ""]
    lines += [_row(columns), _row("---:" if one and rows else "---" for one in numeric)]
    lines += [_row(_cell(value) for value in row) for row in rows]
    lines.append("")
    for note in result["notes"]:
        lines += [note, ""]
    for words in result.get("failed") or ():
        lines += [f"**Broken:** {words}", ""]
    lines += [_made(result), ""]
    return "\n".join(lines)


def _made(result: Mapping[str, Any]) -> str:
    """Say when, how long and on what."""
    where, versions = result["machine"], result["versions"]
    shared = f", load {result['load']['before']:.1f} before" if result["load"]["before"] > 0.5 else ""
    named = ", ".join(f"{name} {versions[name]}" for name in ("python", "ray", "pyarrow") if name in versions)
    return (
        f"*{result['date'][:10]}, {result['seconds']:,} s, scale {result['scale']}; {where['cores']} cores"
        f"{shared}, {where['memory_gb']:g} GB, {where['processor']}; {named}.*"
    )


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(value: Any) -> str:
    """Return a value as a cell: numbers readable, nothing that ends the cell early."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.0f}"
    return str(value).replace("|", "\\|").replace("\n", " ")
