"""Sections of the report beyond funnel and curves: duplicates, cuts, languages, quarantine, documents, costs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

from corpusmill.report.evidence import Evidence, Languages
from corpusmill.report.findings import rule_text
from corpusmill.report.plain import count, duration, number, visible
from corpusmill.runner.bad_records import BadReason

if TYPE_CHECKING:
    from corpusmill.runner.boundary import Nearest

_LINES, _WIDTH = 4, 120
"""Of a document: lines, and characters of a line."""
_SIZES = 24
"""Sizes of clusters listed one by one; beyond, doublings."""
_LISTED = 100
_TOLD = 0.05
"""Seconds of a step that are worth a word."""


def bars(rows: Iterable[tuple[str, int]], *, ordered: bool = True, limit: int = _LISTED) -> list[dict[str, Any]]:
    """Return labels with numbers as bars against the largest, the most first unless `ordered` is False."""
    listed = list(rows)
    most = max((value for _, value in listed), default=0) or 1
    shown = sorted(listed, key=lambda one: (-one[1], one[0])) if ordered else listed
    return [
        {"label": label, "count": count(value), "percent": round(100 * value / most, 3)}
        for label, value in shown[:limit]
    ]


def cut_text(cut: Mapping[str, Any]) -> str:
    """'3 segments (1,234 bytes) cut from 2 documents': what a deduplicator of segments cut out of texts."""
    segments, documents = int(cut.get("segments") or 0), int(cut.get("documents") or 0)
    told = f"{count(segments)} segment{'s' if segments != 1 else ''} ({count(cut.get('bytes') or 0)} bytes)"
    return f"{told} cut from {count(documents)} document{'s' if documents != 1 else ''}"


def duplicates(outputs: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return for each deduplicator how many clusters of each size it found, and what it cut."""
    found = []
    for step, one in (outputs.get("counts") or {}).items():
        sizes = {int(size): int(rows) for size, rows in (one.get("clusters") or {}).items()}
        if sizes or one.get("cut"):
            clusters, rows = sum(sizes.values()), sum(size * number for size, number in sizes.items())
            words = (
                [f"{count(clusters)} cluster{'s' if clusters != 1 else ''} of {count(rows)} documents"] if sizes else []
            )
            words += [cut_text(one["cut"])] if one.get("cut") else []
            found.append({"step": step, "told": "; ".join(words), "bars": bars(_sizes(sizes), ordered=False)})
    return found


def _sizes(sizes: Mapping[int, int]) -> list[tuple[str, int]]:
    """Return clusters by size, the smallest first; many sizes are put together by doublings."""
    if len(sizes) <= _SIZES:
        return [(f"{count(size)} documents", sizes[size]) for size in sorted(sizes)]
    grouped: dict[int, int] = {}
    for size, rows in sizes.items():
        power = 1 << (size.bit_length() - 1)
        grouped[power] = grouped.get(power, 0) + rows
    return [(f"{count(low)} to {count(2 * low - 1)} documents", grouped[low]) for low in sorted(grouped)]


def languages(found: Sequence[Languages]) -> list[dict[str, Any]]:
    """Return the documents of a dataset by language."""
    shown = []
    for one in found:
        rows = [(visible(label) or "none", value) for label, value in one.labels]
        told = f"{count(one.rows)} documents of {one.step}, by {one.column}"
        if one.rows < one.whole:
            told = f"the first {count(one.rows)} of {count(one.whole)} documents of {one.step}, by {one.column}"
        rows += [("all others", one.others)] if one.others else []
        shown.append({"told": told, "bars": bars(rows, ordered=False)})
    return shown


def quarantine(found: Sequence[BadReason], counted: Sequence[tuple[str, str, int]]) -> list[dict[str, Any]]:
    """Return reasons with numbers and first places; reasons that no quarantine was found of have numbers alone."""
    known = {(one.step, one.reason) for one in found}
    reasons = [
        *found,
        *(
            BadReason(step, why, rows, again=False, records=())
            for step, why, rows in counted
            if (step, why) not in known
        ),
    ]
    return [
        {
            "label": f"{one.step}: {one.reason}",
            "count": count(one.rows),
            "places": [
                {"at": f"{each.file}@{each.offset}", "detail": visible(each.detail, 160)} for each in one.records
            ],
            "more": count(one.rows - len(one.records)) if 0 < len(one.records) < one.rows else "",
        }
        for one in reasons[:_LISTED]
    ]


def documents(evidence: Evidence, outputs: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the documents nearest to each threshold, by step and rule."""
    return [
        {"step": step, "rule": rule, "limit": _limit(outputs, step, rule, one[0]), "documents": [*map(_document, one)]}
        for (step, rule), group in groupby(evidence.nearest, lambda near: (near.step, near.rule))
        if (one := list(group))
    ]


def _limit(outputs: Mapping[str, Any], step: str, rule: str, near: Nearest) -> str:
    """'words at least 30', from the rule; of steps without listed rules, the threshold alone."""
    rules = ((outputs.get("signals") or {}).get(step) or {}).get("rules") or []
    for one in rules:
        if rule in (one["reason"], one["signal"]):
            return f"{one['signal']} {rule_text({**one, 'reason': ''})}"
    return f"threshold {number(near.threshold)}"


def _document(one: Nearest) -> dict[str, Any]:
    lines = [line for line in (visible(line, _WIDTH) for line in (one.text or "")[:20_000].splitlines()) if line]
    place = "" if one.file is None else f"{one.file}@{one.offset}"
    return {
        "side": one.side,
        "value": number(one.value),
        "id": one.id,
        "place": place,
        "other": one.other or "",
        "read": one.text is not None,
        "lines": lines[:_LINES],
        "more": len(lines) > _LINES,
    }


def cost(stage: str, began: Mapping[str, Any], ended: Mapping[str, Any], events: Sequence[Any]) -> dict[str, str]:
    """Return what a stage cost: documents and megabytes of text a second, of what this run worked on itself.

    Stages that tell no documents as they go have those of their first step, where no shard was there before.
    """
    seconds = float(ended.get("seconds") or 0)
    worked = [one.data for one in events if one.event == "shards_committed" and one.data.get("id") == stage]
    rows, volume = (max((int(one.get(name) or 0) for one in worked), default=0) for name in ("rows", "bytes"))
    if not rows and not began.get("cached"):
        counts: Mapping[str, Any] = ended.get("counts") or {}
        rows = int((counts.get((ended.get("steps") or [""])[0]) or {}).get("in") or 0)
    return {"rows_rate": _rate(rows, seconds), "bytes_rate": _rate(volume / 1e6, seconds)}


def _rate(done: float, seconds: float) -> str:
    """Three digits are all that a rate is worth; empty where nothing is known."""
    if not done or not seconds:
        return ""
    rate = done / seconds
    return count(rate) if rate >= 100 else number(float(f"{rate:.3g}"))


def step_times(names: Sequence[str], outputs: Mapping[str, Any]) -> str:
    """'pages 3.1 s › articles 21.5 s': a stage's steps, with the seconds each took of workers."""
    counts = outputs.get("counts") or {}
    told = []
    for name in names:
        seconds = (counts.get(name) or {}).get("seconds")
        told.append(f"{name} {duration(seconds)}" if len(names) > 1 and (seconds or 0) >= _TOLD else name)
    return " › ".join(told)
