"""No row is lost: for any input, every step's rows are kept, removed or quarantined, and the sums agree."""

from __future__ import annotations

from typing import Any

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

GOOD = st.builds(
    lambda words, poison: orjson.dumps({"text": " ".join(words) + (" poison" if poison else "")}),
    st.lists(st.sampled_from(["old", "river", "bread", "the", "stone"]), max_size=12),
    st.sampled_from([False] * 9 + [True]),
)
BAD = st.sampled_from(
    [b"", b"{", b"[]", b'{"text": 3}', b'{"other": "x"}', b'{"text": "\xff"}', b'{"text": "\\ud800"}', b"nonsense"]
) | st.binary(max_size=12).map(lambda raw: raw.replace(b"\n", b" "))
FILES = st.lists(st.lists(GOOD | BAD, max_size=25), min_size=1, max_size=4)
STEPS: list[dict[str, Any]] = [
    {"id": "read", "uses": "read.jsonl", "with": {"paths": "data/*", "shard": 300}},
    {"id": "clean", "uses": "clean.unicode"},
    {"id": "explode", "uses": "filter.explode"},
    {"id": "short", "uses": "filter.short", "with": {"most": 40}},
    {"id": "more", "uses": "augment.synonyms", "with": {"lexicon": "lexicon.tsv", "rate": 0.5}},
    {"id": "exact", "uses": "dedup.exact"},
    {"id": "split", "uses": "split.by-hash", "with": {"train": 0.5, "test": 0.5}},
]


@given(files=FILES)
@settings(max_examples=15)
def test_every_row_is_accounted_for(new_mill: Any, files: list[list[bytes]]) -> None:
    """read + added = kept + removed + quarantined for each step, each step starts with what the one before kept, the
    quarantine and ledger files hold exactly the rows that the counts name, and all good lines are read."""
    mill = new_mill()
    (mill.root / "lexicon.tsv").write_text("river\tstream,brook\nold\taged\n")
    for number, lines in enumerate(files):
        mill.jsonl(f"data/{number}.jsonl", lines)
    outputs = mill.run(STEPS, limits={"max_bad_fraction": 1.0}).outputs
    counts = outputs["counts"]
    expected = sum(len(lines) for lines in files)
    assert counts["read"]["in"] == expected
    before = expected
    for step in STEPS:
        one = counts[step["id"]]
        removed, bad = sum(one["removed"].values()), sum(one["quarantined"].values())
        assert one["in"] == before, step["id"]
        assert one["in"] + one["added"] == one["out"] + removed + bad, step["id"]
        before = one["out"]
    assert outputs["outputs"]["split"]["rows"] == before == sum(outputs["outputs"]["split"]["splits"].values())
    found = mill.quarantine(outputs)
    assert len(found) == outputs["quarantine"] == sum(sum(one["quarantined"].values()) for one in counts.values())
    ledger = [row for one in outputs["ledger"] for row in mill.table(one["path"])]
    assert len(ledger) == sum(sum(one["removed"].values()) for one in counts.values())
    for row in found:
        if row["step"] == -1:
            data = (mill.root / "data" / row["file"]).read_bytes()
            assert data[row["offset"] : row["offset"] + row["length"]] == row["raw"]
            assert data[row["offset"] + row["length"] :][:1] == b"\n"


@given(lines=st.lists(GOOD | BAD, max_size=30), shard=st.integers(1, 400), batch=st.integers(1, 500))
@settings(max_examples=8)
def test_cuts_leave_no_trace_in_the_rows(new_mill: Any, lines: list[bytes], shard: int, batch: int) -> None:
    """Any shard size and batch size gives the rows, labels and duplicates of one shard in one batch."""
    mill = new_mill()
    mill.jsonl("data/a.jsonl", lines)
    (mill.root / "lexicon.tsv").write_text("river\tstream,brook\nold\taged\n")
    kept = []
    for size, text in ((64_000_000, "8 MB"), (shard, batch)):
        steps = [{**STEPS[0], "with": {"paths": "data/*", "shard": size}}, *STEPS[1:]]
        limits, name = {"max_bad_fraction": 1.0}, f"shard-{size}"
        outputs = mill.run(steps, name=name, limits=limits, run={"batch_bytes": text}).outputs
        bad = sorted((row["offset"], row["reason"], row["step"]) for row in mill.quarantine(outputs))
        kept.append((mill.rows(outputs["outputs"]["split"]["digest"]), bad))
    assert kept[0] == kept[1]
