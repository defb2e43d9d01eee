"""What a spec promises of its input: checksums and numbers of files and records, held against what is there."""

from __future__ import annotations

import gzip
import hashlib
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from corpusmill.errors import InputError, SpecError
from corpusmill.plan.check import check
from corpusmill.runner.driver import RunOptions, run_spec
from corpusmill.runner.promises import _fits


def read(**options: Any) -> dict[str, Any]:
    return {"id": "read", "uses": "read.jsonl", "with": {"paths": "data/*.jsonl*", **options}}


def digest(path: Path, algorithm: str = "sha256") -> str:
    return hashlib.new(algorithm, path.read_bytes(), usedforsecurity=False).hexdigest()


def listed(mill: Any, algorithm: str = "sha256", name: str = "data/SUMS") -> Path:
    """Write the checksums of all files under data/, as sha256sum writes them there."""
    path = mill.root / name
    files = sorted(one for one in (mill.root / "data").iterdir() if one.is_file() and one != path)
    lines = [f"{digest(one, algorithm)}  {one.relative_to(path.parent)}" for one in files]
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture
def filled(mill: Any) -> Any:
    """A mill with three files of ten rows."""
    for name in "abc":
        mill.jsonl(f"data/{name}.jsonl", [f"{name} {number}" for number in range(10)])
    return mill


def published(mill: Any) -> list[str]:
    return [name for name in mill.tree() if name.startswith("datasets/")]


@pytest.mark.parametrize("algorithm", ["sha256", "md5", "sha1", "sha512"])
def test_files_that_are_what_was_promised_are_read(filled: Any, algorithm: str) -> None:
    """Lists of every algorithm by the number of digits; the result is that of a run without a list."""
    plain = filled.run([read()]).outputs["outputs"]["read"]
    listed(filled, algorithm)
    assert filled.run([read(checksums="data/SUMS")]).outputs["outputs"]["read"] == plain


def test_the_list_of_sha256sum_itself_is_understood(filled: Any) -> None:
    """Its three forms: text, binary (`*`) and tagged, and names with a backslash escaped."""
    odd = filled.root / "data" / "back\\slash.jsonl"
    odd.write_bytes(filled.jsonl("plain.jsonl", ["odd"]).read_bytes())
    for form in ([], ["--binary"], ["--tag"]):
        names = sorted(one.name for one in odd.parent.glob("*.jsonl"))
        made = subprocess.run(["sha256sum", *form, *names], cwd=odd.parent, capture_output=True, check=True)
        (odd.parent / "SUMS").write_bytes(made.stdout)
        assert filled.run([read(checksums="data/SUMS")]).outputs["outputs"]["read"]["rows"] == 31


def test_a_file_cut_at_a_record_is_named_with_both_values(filled: Any) -> None:
    """What the file itself cannot show fails the run: the file, its checksum and the promised one; none published."""
    listed(filled)
    path = filled.root / "data/b.jsonl"
    promised, whole = digest(path), path.read_bytes()
    path.write_bytes(b"".join(whole.splitlines(keepends=True)[:-1]))
    assert filled.run([read()], store=str(filled.root / "other")).outputs["outputs"]["read"]["rows"] == 29
    with pytest.raises(InputError, match="1 damaged input file") as caught:
        filled.run([read(checksums="data/SUMS")])
    for word in ("b.jsonl", digest(path), promised, "data/SUMS"):
        assert word in str(caught.value)
    assert published(filled) == []
    path.write_bytes(whole)
    assert filled.run([read(checksums="data/SUMS")]).outputs["outputs"]["read"]["rows"] == 30


def test_a_gzip_member_that_is_missing_is_found(mill: Any) -> None:
    """A gzip file cut between two members is a shorter gzip file, but not the promised one."""
    members = [gzip.compress(mill.jsonl("plain.jsonl", [str(number)]).read_bytes()) for number in range(3)]
    path = mill.root / "data/a.jsonl.gz"
    path.parent.mkdir()
    path.write_bytes(b"".join(members))
    listed(mill)
    path.write_bytes(b"".join(members[:2]))
    assert mill.run([read()], store=str(mill.root / "other")).outputs["outputs"]["read"]["rows"] == 2
    with pytest.raises(InputError, match="1 damaged input file"):
        mill.run([read(checksums="data/SUMS")])


def test_under_quarantine_files_that_differ_are_left_out_and_listed(filled: Any) -> None:
    """As any damaged file: one changed, one not in the list, one in the list that is gone."""
    listed(filled)
    (filled.root / "data/a.jsonl").unlink()
    (filled.root / "data/b.jsonl").write_bytes(b'{"text":"other"}\n')
    filled.jsonl("data/d.jsonl", ["new"])
    steps, limits = [read(checksums="data/SUMS"), filled.mark("one")], {"on_corrupt_file": "quarantine"}
    for _ in range(2):
        outputs = filled.run(steps, limits=limits).outputs
        assert {row["file"] for row in filled.rows(outputs["outputs"]["one"]["digest"])} == {"c.jsonl"}
        told = {one["file"]: one["reason"] for one in outputs["damaged"]}
        assert told.keys() == {"a.jsonl", "b.jsonl", "d.jsonl"}
        assert told["a.jsonl"] == "listed in data/SUMS, but not there"
        assert told["b.jsonl"].startswith("its sha256 is ")
        assert told["d.jsonl"] == "not listed in data/SUMS"
    with pytest.raises(InputError, match="3 damaged input files"):
        filled.run(steps)


def test_a_list_may_cover_more_than_the_input(filled: Any) -> None:
    """Only listed files that `paths` would take have to be there."""
    path = listed(filled)
    path.write_text(path.read_text() + f"{'0' * 64}  images/a.png\n{'0' * 64}  a.txt\n")
    assert filled.run([read(checksums="data/SUMS")]).outputs["outputs"]["read"]["rows"] == 30
    path.write_text(path.read_text() + f"{'0' * 64}  z.jsonl\n")
    with pytest.raises(InputError, match="1 damaged input file") as caught:
        filled.run([read(checksums="data/SUMS")])
    assert "z.jsonl" in str(caught.value)


def test_the_list_is_no_input(filled: Any) -> None:
    """A list that lies among the files it names is not read for one of them."""
    listed(filled)
    outputs = filled.run([read(checksums="data/SUMS", paths="data")]).outputs
    assert outputs["outputs"]["read"]["rows"] == 30
    assert outputs["quarantine"] == 0


def test_a_checksum_is_compared_once(filled: Any) -> None:
    """Files that look as they did when they were compared are not hashed again; another checksum has them looked at."""
    path = listed(filled)
    steps = [read(checksums="data/SUMS", shard=100), filled.mark("one")]
    filled.run(steps)
    filled.calls()
    assert filled.forecast(steps)["one"].state == "cached"
    path.write_text(path.read_text().replace(digest(filled.root / "data/a.jsonl"), "0" * 64))
    with pytest.raises(InputError, match=r"a\.jsonl: its sha256 is"):
        filled.run(steps)
    assert not filled.calls()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "no checksum in 'data/SUMS'"),
        ("abc  a.jsonl\n", "no checksum: 'abc  a.jsonl'"),
        ("{0}  a.jsonl\n{1}  a.jsonl\n", "two checksums of 'a.jsonl'"),
        ("BLAKE2B (a.jsonl) = {0}\n", "no checksum: 'BLAKE2B"),
    ],
)
def test_a_list_that_is_none_is_told_with_its_line(filled: Any, content: str, message: str) -> None:
    """Nothing is read on the word of a list that cannot be understood."""
    (filled.root / "data/SUMS").write_text(content.format("0" * 64, "1" * 64))
    with pytest.raises(InputError, match=message):
        filled.run([read(checksums="data/SUMS")])


def test_a_list_that_is_not_there_is_found_by_the_check(filled: Any) -> None:
    """With the place in the spec, before anything runs."""
    with pytest.raises(SpecError, match="'data/SUMMS' does not exist"):
        filled.run([read(checksums="data/SUMMS")])


def test_expected_numbers_hold(filled: Any) -> None:
    """As many files and records as expected: nothing happens; records that are bad count as read."""
    filled.jsonl("data/c.jsonl", ["one", b"broken"])
    limits = {"max_bad_fraction": 0.5}
    outputs = filled.run([read(expect={"files": 3, "rows": 22})], limits=limits).outputs
    assert outputs["outputs"]["read"]["rows"] == 21


def test_another_number_of_records_fails_the_run_and_costs_nothing(filled: Any) -> None:
    """Both numbers are told, nothing is published, and with the right one nothing is read again."""
    steps = [read(expect={"rows": 31}), filled.mark("one")]
    with pytest.raises(InputError, match="30 records read, where `expect` says 31") as caught:
        filled.run(steps)
    assert re.search(r"spec-\d+\.yaml:1:\d+, step read$", str(caught.value.where))
    assert published(filled) == []
    filled.calls()
    assert filled.forecast(steps)["one"].state == "fails"
    assert filled.run([read(expect={"rows": 30}), filled.mark("one")]).outputs["outputs"]["one"]["rows"] == 30
    assert not filled.calls()


def test_another_number_of_files_is_found_by_the_check(filled: Any) -> None:
    """A glob that finds fewer files than there should be is an error of the spec, with its place; the list of checksums
    is no input, a hidden file neither."""
    listed(filled, name="data/.SUMS")
    filled.run([read(paths="data", checksums="data/.SUMS", expect={"files": 3})])
    with pytest.raises(SpecError, match=r"3 files found, where `expect` says 4") as caught:
        filled.run([read(expect={"files": 4}), filled.mark("one")])
    assert caught.value.problems[0].path == "steps[0].with.expect.files"


def test_a_file_that_comes_after_the_check_is_not_read(filled: Any) -> None:
    """Files are counted once more when the run looks at them."""
    checked = check(filled.spec([read(expect={"files": 3})]))
    filled.jsonl("data/d.jsonl", ["late"])
    with pytest.raises(InputError, match="4 files found, where `expect` says 3"):
        run_spec(checked, RunOptions(store=filled.store_uri, debug=True))
    assert not filled.commits()["pass"]


def test_a_damaged_file_is_missed_in_the_number_of_records(filled: Any) -> None:
    """What is left out counts for nothing: a number that was promised is not kept by a shorter corpus."""
    data = gzip.compress(filled.jsonl("plain.jsonl", ["x"] * 9).read_bytes())
    (filled.root / "data/d.jsonl.gz").write_bytes(data[:-4])
    limits = {"on_corrupt_file": "quarantine"}
    with pytest.raises(InputError, match="30 records read, where `expect` says 39"):
        filled.run([read(expect={"rows": 39})], limits=limits)


def test_a_sample_need_not_keep_the_number_of_records(filled: Any) -> None:
    """With `--limit` a run reads less on purpose."""
    outputs = filled.run([read(expect={"rows": 30, "files": 3})], limit=2).outputs
    assert outputs["outputs"]["read"]["rows"] < 30


@pytest.mark.parametrize(
    ("pattern", "path", "taken"),
    [
        ("/d/*.gz", "/d/a.gz", True),
        ("/d/*.gz", "/d/e/a.gz", False),
        ("/d/*.gz", "/d/.a.gz", False),
        ("/d/**/*.gz", "/d/a.gz", True),
        ("/d/**/*.gz", "/d/e/f/a.gz", True),
        ("/d/**", "/d/e/a.gz", True),
        ("/d/a.gz", "/d/a.gz", True),
        ("/d/a.gz", "/d/b.gz", False),
        ("/d/[ab].gz", "/d/b.gz", True),
    ],
)
def test_patterns_take_what_glob_takes(pattern: str, path: str, taken: bool) -> None:
    """Of files that are not there, too: `**` is any folders, a blank star no hidden name and no folder."""
    assert _fits(pattern.split("/"), path.split("/")) is taken
