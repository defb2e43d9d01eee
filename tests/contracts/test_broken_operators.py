"""Operators broken on purpose: the kit fails each for its own fault, and says so in its words."""

from __future__ import annotations

from pathlib import Path

import pytest

from corpusmill.testing import CLAIMS, Finding
from corpusmill.testing.subjects import check_plugin

BROKEN = Path(__file__).parent / "broken"
FAULTS: dict[str, tuple[str, str]] = {
    "after_null": ("order", "'a' gave behind False in one batch and behind True in reversed order"),
    "batch_headers": ("batches", "slices of 1 rows gave other bytes than one batch"),
    "batch_mean": ("batch-size", "in batches of 1"),
    "caught_signal": ("signals", "it replaced the handler of SIGUSR2"),
    "changed_folder": ("folder", "it changed the working directory to "),
    "changed_inputs": ("inputs", "it changed the file 'model/seen.json' of an input"),
    "chatter": ("output", "it wrote to stdout: 'looking at "),
    "closed_sink": ("sink", "encode() closed the sink, which belongs to the engine"),
    "counted_batches": ("documents", "the summary is documents 5, then documents 1"),
    "cut_records": ("cuts", "ranges gave 17 documents, in one range 29"),
    "deep_recursion": ("process", "it changed the recursion limit from "),
    "empty_for_null": ("round-trip", "'text' was None and is read as ''"),
    "engine_column": ("declarations", "adds() declares 'offset', a column that the engine makes"),
    "first_batch": ("no-rows", "no rows raised IndexError: list index out of range"),
    "first_row": ("empty-batch", "a batch of no rows raised IndexError: list index out of range"),
    "fixed_column": ("column", "with `column: body` it raised KeyError: 'Field \"text\" does not exist in schema'"),
    "forgotten_key_option": ("key-options", "casefold=True changes keys, but key_options lacks 'casefold'"),
    "half_saved": ("resume", "killed and started again, it gave another result"),
    "hard_exit": ("runs", "it took its process down, or was not done within 300 s"),
    "hash_order": ("determinism", "another process with another hash seed gave a different result"),
    "held_lock": ("travels", "it cannot be pickled: TypeError: cannot pickle '_thread.lock' object"),
    "hidden_seed": ("seed", "another seed gave another result, but uses_seed is False"),
    "hole_in_ranges": ("ranges", "do not cover it: [(0, "),
    "keyed_nothing": ("nulls", "a text that is null or empty got a key"),
    "left_file": ("folder", "it left 'filter.log' in the working directory"),
    "left_thread": ("threads", "threads running: 'lingers'"),
    "lost_rows": ("rows", "clean() returned 0 rows for a batch of 1 rows"),
    "lying_verdict": ("verdicts", "removed by 'length' (at least 20) with the value 100, which passes"),
    "missing_column": ("reads", "'Field \"language\" does not exist in schema'; reads() names text"),
    "never_stops": ("resume", "it never asked work.should_stop()"),
    "no_resume": ("resume", "it gave another result"),
    "no_sources": ("sources", "sources() is ()"),
    "no_suffix": ("suffix", "its suffix is ''"),
    "no_tokenizer": ("artifact", "it left no tokenizer.json"),
    "null_text": ("nulls", "raised TypeError: object of type 'NoneType' has no len()"),
    "one_sided": ("symmetric", "from left to right and "),
    "open_options": ("loads", "its Options do not refuse unknown keys"),
    "optional_read": ("reads", "its result depends on the column 'label', which reads() does not name"),
    "ordinary_error": ("runs", "raised ZeroDivisionError: division by zero"),
    "other_column": ("rows", "clean() changed the column 'source', which adds() does not declare"),
    "overrun_windows": ("windows", "window 0 takes [0, 17) of document 0, which is not inside it"),
    "pickled_model": ("artifact", "it left 'model.bin'"),
    "plain_options": ("loads", "is not a corpusmill.Options, the pydantic model that does"),
    "random_choice": ("determinism random-state", "two operators made alike gave different results"),
    "range_offsets": ("offsets", "are not ascending and different: [0, "),
    "raw_exceptions": ("damage", "a file with one line replaced by broken bytes raised UnicodeDecodeError"),
    "running_count": ("memory", "the same input gave another result the second time"),
    "scattered_rows": ("parents", "rows that are not grouped by parent in input order"),
    "seeded_numpy": ("random-state", "it drew from or seeded the global generator of numpy.random"),
    "set_locale": ("locale", "it changed LC_CTYPE from "),
    "set_variable": ("environment", "it changed environment variables: TOKENIZERS_PARALLELISM='maybe'"),
    "short_length": ("long-line", "a line of 1 MB raised error: ushort format requires 0 <= number <= 65535"),
    "signed_keys": ("keys", "sketch() returned keys of type int64 and shape (1,)"),
    "silent_change": ("affects-result", "gave another result, but says affects_result=False"),
    "silent_option": ("options", "the option 'least' of Options has no help text"),
    "slice_offset": ("slices", "a slice (array.offset 2) is read as something else"),
    "small_keys": ("mixed-keys", "of 400 different keys 400 lie in one quarter of the range of 64 bits"),
    "swallowed_records": ("damage", "28 documents and 0 rejects are left of 29 documents"),
    "undeclared_column": ("adds", "annotate() made the column 'size', which adds() does not declare"),
    "undeclared_documents": ("reads", "'Field \"label\" does not exist in schema'"),
    "undeclared_label": ("labels", "split() returned 2, but labels() has 2: ('train', 'test')"),
    "undeclared_read": ("reads", "with the columns id, text alone it raised KeyError"),
    "unknown_signal": ("verdicts", "a rule asks for the signal 'words', which measure() did not return"),
    "unranked": ("rank", "rank() is NaN, which is neither better nor worse than any other"),
    "unspeakable_state": ("state", "state() returned what JSON cannot say"),
    "unspeakable_summary": ("summary", "run() returned what JSON cannot say"),
    "wide_characters": ("unicode", "a valid text raised IndexError: index out of range"),
    "written_input": ("input", "it wrote into the column 'offset' of its input"),
    "wrong_type": ("adds", "annotate() made 'length' of type double; adds() declares int64"),
}
"""File -> the claims that fail, and words of the first finding."""
INPUTS = {
    "after_null": "['a', null]",
    "batch_mean": "['a', null]",
    "lying_verdict": "[null]",
    "null_text": "[null]",
    "one_sided": "['a', 'a a']",
    "undeclared_label": "['aa']",
    "unranked": r"['\n']",
    "wide_characters": "['🏽']",
}
"""File -> the smallest input, where it is a text that can be known beforehand."""


def failures(name: str) -> list[Finding]:
    return [finding for report in check_plugin(str(BROKEN / f"{name}.py")) for finding in report.failures]


@pytest.mark.parametrize("name", FAULTS)
def test_the_fault_is_named(name: str) -> None:
    """Just the claim that is broken fails, in the words of the fault, at the plugin's file, with advice."""
    claims, words = FAULTS[name]
    found = failures(name)
    assert " ".join(one.claim for one in found) == claims, "\n".join(map(str, found))
    assert words in found[0].seen
    assert all(f"{name}.py" in (one.where or "") for one in found)
    if claims != "loads":
        assert all(one.says and one.next for one in found)
    if name in INPUTS:
        assert found[0].input == INPUTS[name]


def test_every_claim_has_a_breaker() -> None:
    """A claim that no broken operator fails may have a check that cannot fail."""
    broken = {claim for claims, _ in FAULTS.values() for claim in claims.split()}
    assert {claim.id for claim in CLAIMS} - broken == set()


def test_every_broken_operator_is_told_of() -> None:
    """No file lies in the folder without its fault in the table."""
    assert {path.stem for path in BROKEN.glob("*.py")} == set(FAULTS)
