"""The README of a written dataset: a dataset card that the Hugging Face hub and `datasets` understand."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

SIZES = ((10**3, "n<1K"), (10**4, "1K<n<10K"), (10**5, "10K<n<100K"), (10**6, "100K<n<1M"), (10**7, "1M<n<10M"),
         (10**8, "10M<n<100M"), (10**9, "100M<n<1B"), (10**10, "1B<n<10B"))  # fmt: skip
"""The hub's size categories."""

_NUMBERED = re.compile(r"-\d{5}-of-\d{5}\.[a-z.]+$")
_NUMBER = re.compile(r"u?int(8|16|32|64)|bool|null")
_AS_TEXT = re.compile(r"(large_)?(string|binary)|string_view|fixed_size_binary|timestamp|date|time|decimal")
_LIST = re.compile(r"(?:large_)?list<\w+: ([^<>]+)>")


def readme(facts: Mapping[str, Any], suffix: str) -> bytes:
    """Return README.md for files named data/SPLIT-00000-of-00008SUFFIX.

    `facts`: name, digest, splits (label -> rows, files, bytes), columns (name -> type, or names), sources (names of
    the inputs). A pure function of these: no time, no host.
    """
    splits: Mapping[str, Mapping[str, int]] = facts.get("splits", {})
    rows = sum(split["rows"] for split in splits.values())
    lines = [*_front_matter(facts, splits, rows, suffix), "", f"# {_plain(facts.get('name', 'dataset'))}", ""]
    lines += [f"{rows:,} documents. Content digest `{_plain(facts.get('digest', ''))}`. Made by corpusmill.", ""]
    lines += ["| split | documents | files | bytes |", "|---|---:|---:|---:|"]
    for label, split in splits.items():
        lines.append(f"| {_plain(label)} | {split['rows']:,} | {split['files']:,} | {split['bytes']:,} |")
    lines += ["", "| column | type |", "|---|---|", *_columns(facts.get("columns", {}))]
    sources = [f"- {_plain(source)}" for source in _listed(facts.get("sources", ()))]
    if sources:
        lines += ["", "## Sources", "", *sources]
    lines += [
        "",
        "```python",
        "from datasets import load_dataset",
        "",
        'dataset = load_dataset("this/folder")',
        "```",
        "",
    ]
    return "\n".join(lines).encode()


def split_name(label: str) -> str:
    """Return a label as a split name that `datasets` accepts: letters, digits, underscores."""
    return re.sub(r"\W+", "_", label) or "train"


def _front_matter(facts: Mapping[str, Any], splits: Mapping[str, Any], rows: int, suffix: str) -> list[str]:
    """Return the YAML block; strings are JSON, which is YAML.

    A split without rows is left out where others have some: with it, `datasets` would load none of them.
    """
    size = next((name for most, name in SIZES if rows < most), "n>10B")
    lines = ["---", f"pretty_name: {json.dumps(str(facts.get('name', 'dataset')), ensure_ascii=False)}"]
    lines += [f"size_categories: [{json.dumps(size)}]", *_features(facts, suffix)]
    lines += ["configs:", "- config_name: default", "  data_files:"]
    written = {file["split"]: file["name"] for file in facts.get("files", ())}
    alike = Counter(map(split_name, splits))
    for label in [label for label, split in splits.items() if split["rows"] or not rows]:
        # As the file is named, which a label may not be: one of `hard-cases` lies in `hard_cases-…`.
        stem = _NUMBERED.sub("", written.get(label, f"data/{label}"))
        name = split_name(label) if alike[split_name(label)] == 1 else stem.rpartition("/")[2]
        lines.append(f"  - split: {json.dumps(name, ensure_ascii=False)}")
        lines.append(f"    path: {json.dumps(f'{stem}-*{suffix}', ensure_ascii=False)}")
    return [*lines, "---"]


def _features(facts: Mapping[str, Any], suffix: str) -> list[str]:
    """Return the types of the columns for JSON, which says none: a column of nulls in one split would fail to load.

    Nothing where a type is nested deeper than a list.
    """
    columns = facts.get("columns", {})
    if not suffix.startswith(".jsonl") or not isinstance(columns, Mapping):
        return []
    lines = ["dataset_info:", "  features:"]
    for name, kind in columns.items():
        inner = _LIST.fullmatch(str(kind))
        dtype = _dtype(inner[1] if inner else str(kind))
        if dtype is None:
            return []
        lines += [f"  - name: {json.dumps(name, ensure_ascii=False)}", f"    {'list' if inner else 'dtype'}: {dtype}"]
    return lines


def _dtype(kind: str) -> str | None:
    """Return what `datasets` calls the JSON of an Arrow type; None for one that is nested."""
    if _NUMBER.fullmatch(kind):
        return kind
    if _AS_TEXT.match(kind):
        return "string"
    return {"double": "float64", "float": "float32", "halffloat": "float32"}.get(
        kind, "int64" if kind.startswith("duration") else None
    )


def _columns(columns: Mapping[str, Any] | Iterable[str]) -> list[str]:
    pairs = columns.items() if isinstance(columns, Mapping) else ((name, "") for name in columns)
    return [f"| {_plain(name)} | {_plain(kind)} |" for name, kind in pairs]


def _listed(sources: Any) -> list[Any]:
    return [sources] if isinstance(sources, str) else list(sources)


def _plain(value: Any) -> str:
    """Return a value as Markdown text on one line: nothing in it is markup."""
    text = " ".join(str(value).split())
    return re.sub(r"([\\`*_{}\[\]<>()#+!|~])", lambda mark: f"&#{ord(mark[0])};", text)
