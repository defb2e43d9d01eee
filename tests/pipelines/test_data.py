"""The sample data: small, licensed, reproducible, and with everything in it that the quickstart shows."""

from __future__ import annotations

import gzip
import hashlib
import importlib.util
import json
import re
import sys
from collections import Counter
from itertools import pairwise
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="module")
def data(repository: Path) -> Path:
    return repository / "pipelines" / "data"


@pytest.fixture(scope="module")
def pages(data: Path) -> list[tuple[str, str, bytes]]:
    """(address, Content-Type, body) of every response, by a plain reading of the WARC files."""
    found = []
    for path in sorted(data.glob("pages-*.warc.gz")):
        rest = gzip.decompress(path.read_bytes())
        while rest:
            head, _, rest = rest.partition(b"\r\n\r\n")
            size = int(re.search(rb"Content-Length: (\d+)", head)[1])  # type: ignore[index]
            block, rest = rest[:size], rest[size:].removeprefix(b"\r\n\r\n")
            if b"WARC-Type: response" in head:
                http, _, body = block.partition(b"\r\n\r\n")
                address = re.search(rb"WARC-Target-URI: (\S+)", head)[1].decode()  # type: ignore[index]
                found.append((address, re.search(rb"Content-Type: ([^\r]+)", http)[1].decode(), body))  # type: ignore[index]
    return found


def test_it_is_at_most_eight_megabytes(data: Path) -> None:
    """The repository stays small."""
    assert (
        sum(path.stat().st_size for path in data.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
        <= 8e6
    )


def test_every_file_is_accounted_for_in_the_readme(data: Path) -> None:
    """Each kind of data file and each licence is named, and each licence the README names is there."""
    readme = (data / "README.md").read_text(encoding="utf-8")
    for name in (
        "pages-*.warc.gz",
        "alice-*",
        "sherlock-*",
        "two-cities-*",
        "pride-*",
        "xu-xiake-*",
        "sentences.jsonl",
        "synonyms.tsv",
    ):
        assert name in readme
    assert {f"licenses/{path.name}" for path in (data / "licenses").iterdir()} == set(
        re.findall(r"`(licenses/[\w.-]+)`", readme)
    )


def test_books_do_not_carry_project_gutenbergs_name(data: Path) -> None:
    """The name may not stand on a changed work."""
    for path in (data / "books").glob("*.txt"):
        assert b"gutenberg" not in path.read_bytes().lower(), path.name


def test_every_page_decodes_and_encodings_vary(pages: list[tuple[str, str, bytes]]) -> None:
    """Pages in UTF-8 and GB18030, declared in the header, only in the page, or not at all."""
    kinds: Counter[tuple[str, str]] = Counter()
    for address, content_type, body in pages:
        declared = re.search(r"charset=([\w-]+)", content_type)
        in_page = re.search(rb'<meta charset="([\w-]+)"', body)
        label = declared[1] if declared else in_page[1].decode() if in_page else ""
        encoding = "gb18030" if label.startswith("gb") or (not label and not _is_utf8(body)) else "utf-8"
        assert "<html" in body.decode(encoding), address
        kinds[encoding, "header" if declared else "meta" if in_page else "none"] += 1
    assert set(kinds) == {
        (encoding, place) for encoding in ("utf-8", "gb18030") for place in ("header", "meta", "none")
    }
    assert min(kinds.values()) >= 20


def _is_utf8(body: bytes) -> bool:
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True


def test_pages_have_duplicates_and_dirt(pages: list[tuple[str, str, bytes]]) -> None:
    """One address twice, one proposal on two hosts, pages without text, and about 600 pages in all."""
    addresses = Counter(address for address, _, _ in pages)
    assert 500 <= len(pages) <= 700
    assert sum(count > 1 for count in addresses.values()) >= 10
    numbers = [
        set(re.findall(rf"{host}/(pep-\d+)", " ".join(addresses)))
        for host in ("pyarchive.example", "oldpython.example")
    ]
    assert len(numbers[0] & numbers[1]) >= 20
    assert sum(b'<div id="root"></div>' in body for _, _, body in pages) >= 3


def test_invented_hosts_are_reserved_names(pages: list[tuple[str, str, bytes]]) -> None:
    """No page claims to come from a real site."""
    assert {address.split("/")[2].rsplit(".", 1)[1] for address, _, _ in pages} == {"example"}


def test_books_are_whole_chapters_in_moderate_files(data: Path) -> None:
    """Thirty to sixty files, each starting with a heading; the Chinese ones in two encodings."""
    files = sorted((data / "books").glob("*.txt"))
    assert 30 <= len(files) <= 60
    for path in files:
        text = path.read_bytes().decode("gb18030" if ".gb18030." in path.name else "utf-8")
        assert re.match(r"CHAPTER \d+\.|第\d+章 ", text), path.name
        assert len(text) > 3_000
    assert 1 <= sum(".gb18030." in path.name for path in files) < sum(path.name.startswith("xu-") for path in files)


def test_reviews_are_balanced_and_mixed(data: Path) -> None:
    """Two labels, as many of each, in no order, no sentence with both."""
    rows = [json.loads(line) for line in (data / "reviews/sentences.jsonl").read_text(encoding="utf-8").splitlines()]
    labels = [row["label"] for row in rows]
    assert Counter(labels)["positive"] == Counter(labels)["negative"] == len(rows) // 2 >= 4_000
    changes = sum(one != two for one, two in pairwise(labels))
    assert 0.45 < changes / len(labels) < 0.55
    assert all(set(row) == {"text", "label"} and row["text"].strip() for row in rows)


def test_the_lexicon_is_one_augment_synonyms_reads(data: Path) -> None:
    """English and Chinese words, each with synonyms, within 100 kB."""
    from corpusmill_plugins.augmenters.lexicon import read_lexicon

    synonyms = read_lexicon("synonyms.tsv", str(data)).synonyms
    chinese = [word for word in synonyms if not word.isascii()]
    assert len(chinese) > 1_000 and len(synonyms) - len(chinese) > 1_000
    assert (data / "synonyms.tsv").stat().st_size <= 100_000


def _maker(data: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(data))
    spec = importlib.util.spec_from_file_location("make_data", data / "make_data.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_recipe_makes_these_bytes(
    data: Path, test_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the upstream sources `make_data.py` makes every data file again, byte for byte."""
    _maker(data, monkeypatch).main(test_data, tmp_path)
    made = {path.relative_to(tmp_path): hashlib.sha256(path.read_bytes()).hexdigest() for path in _files(tmp_path)}
    kept = {path.relative_to(data): hashlib.sha256(path.read_bytes()).hexdigest() for path in _data_files(data)}
    assert made == kept
    for name in [name for name in sys.modules if name.split(".")[0] == "recipe"]:
        monkeypatch.delitem(sys.modules, name)


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def _data_files(data: Path) -> list[Path]:
    return [
        path
        for path in _files(data)
        if path.name == "synonyms.tsv" or (path.suffix in (".gz", ".jsonl", ".txt") and "licenses" not in path.parts)
    ]
