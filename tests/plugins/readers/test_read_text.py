"""read.text: documents begin and end where books, paragraphs and lines do, in any encoding."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from corpusmill import ReadLimits
from corpusmill_plugins.readers.encodings import guess
from corpusmill_plugins.readers.headings import language
from corpusmill_plugins.readers.text import Text

CHINESE = (
    "第一回 灵根育孕源流出\n　　诗曰：混沌未分天地乱。\n\n　　盖闻天地之数。\n"
    "第二回 悟彻菩提真妙理\n话表美猴王得了姓名。\n"
)


def reader(**options: Any) -> Text:
    return Text(Text.Options(paths="*", **options))


def test_a_file_is_one_document_with_plain_line_ends(put: Any, read_all: Any) -> None:
    """`document: file` gives the whole text; only its line ends are changed."""
    outcome = read_all(reader(), put("a.txt", b"one\r\ntwo\r\n\n"))
    assert outcome.rows == [{"text": "one\ntwo\n\n", "offset": 0}]


def test_an_empty_file_holds_no_document(put: Any, read_all: Any) -> None:
    """No bytes, no document."""
    assert read_all(reader(), put("a.txt", b"")).rows == []


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    lines=st.lists(
        st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]), max_size=12), max_size=20
    ),
    codec=st.sampled_from(["utf-8", "gb18030", "utf-16-le", "utf-32-be"]),
    shard=st.integers(1, 60),
)
def test_lines_are_documents_wherever_the_file_is_cut(
    lines: list[str], codec: str, shard: int, put: Any, read_all: Any
) -> None:
    """Each line that is not blank is a document at its byte, for every shard size and encoding."""
    expected, data = [], b""
    for line in lines:
        if line.strip():
            expected.append({"text": line, "offset": len(data)})
        data += (line + "\n").encode(codec)
    if data.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\0\0\xfe\xff")):
        return
    assert read_all(reader(document="line", encoding=codec, shard=shard), put("a.txt", data)).rows == expected


def test_paragraphs_are_runs_of_lines(put: Any, read_all: Any) -> None:
    """Blank lines, also those with ideographic spaces, part paragraphs."""
    data = "\n一\n二\n　\n\n三".encode()
    outcome = read_all(reader(document="paragraph"), put("a.txt", data))
    assert [(row["text"], row["offset"]) for row in outcome.rows] == [("一\n二", 1), ("三", 14)]


def test_chapters_start_at_headings_and_not_in_a_table_of_contents(put: Any, read_all: Any) -> None:
    """Front matter with its table of contents is one document, then one for each chapter."""
    text = "A Book\n\nCHAPTER I. One\nCHAPTER II. Two\n\n"
    text += "BOOK I\n\nCHAPTER I. One\n\nIt was.\n\nCHAPTER II. Two\n\nIt is.\n"
    outcome = read_all(reader(document="chapter"), put("a.txt", text.encode()))
    assert [one.split("\n")[0] for one in outcome.texts] == ["A Book", "BOOK I", "CHAPTER II. Two"]
    assert [text[row["offset"] :].startswith(row["text"]) for row in outcome.rows] == [True] * 3


@pytest.mark.parametrize("codec", ["utf-8", "gb18030", "utf-16"])
def test_chinese_chapters_are_found_in_every_encoding(codec: str, put: Any, read_all: Any) -> None:
    """`第一回` cuts in UTF-8, GB18030 and UTF-16 with a mark; `auto` finds out which."""
    outcome = read_all(reader(document="chapter", encoding="auto"), put("a.txt", (CHINESE * 3).encode(codec)))
    assert outcome.texts[:2] == [
        CHINESE[: CHINESE.index("第二")].rstrip("\n"),
        CHINESE[CHINESE.index("第二") :].rstrip("\n"),
    ]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("CHAPTER XII. The Mill", "english"),
        ("Chapter the Last", "english"),
        ("Chapter 7", "english"),
        ("II. The Mail", "english"),
        ("Part I would not play in the street", None),
        ("CHAPTERHOUSE I", None),
        ("第十二章", "chinese"),
        ("第3节：标题", "chinese"),
        ("第一章规定，本法适用于中国。", None),
        ("第一部分", None),
        ("", None),
    ],
)
def test_headings_are_told_from_prose(line: str, expected: str | None) -> None:
    """Headings of both languages are known; sentences that start like them are not."""
    assert language(line) == expected


@pytest.mark.parametrize(
    ("text", "codec", "expected"),
    [
        ("plain ascii", "ascii", "utf-8"),
        ("déjà vu à l'été, garçon", "utf-8", "utf-8"),
        ("déjà vu à l'été, garçon", "cp1252", "cp1252"),
        ("A café", "cp1252", "cp1252"),
        ("中文网页内容，这是一个测试。", "gb18030", "gb18030"),
        ("Title: 测试 (test) by 作者", "gbk", "gb18030"),
    ],
)
def test_encodings_are_guessed(text: str, codec: str, expected: str) -> None:
    """UTF-8, GB18030 and cp1252 are told apart without a label."""
    assert guess(text.encode(codec)) == expected


def test_one_bad_byte_rejects_its_line_and_keeps_the_encoding(put: Any, read_all: Any) -> None:
    """A damaged byte in a UTF-8 file costs its line, not the reading of the file."""
    data = "测试一\n".encode() * 50 + b"bad \xff\n" + "测试二\n".encode()
    outcome = read_all(reader(document="line", encoding="auto"), put("a.txt", data))
    assert (len(outcome.rows), outcome.reasons) == (51, [(500, "invalid-encoding")])


def test_the_encoding_is_found_behind_much_ascii(put: Any, read_all: Any) -> None:
    """The first byte above ASCII may come late; the guess waits for it."""
    data = b"ascii only line\n" * 200_000 + "中文网页内容\n".encode("gb18030")
    outcome = read_all(reader(encoding="auto"), put("a.txt", data))
    assert outcome.texts[0].endswith("中文网页内容\n")


def test_a_document_above_the_limit_is_rejected_whole(put: Any, read_all: Any) -> None:
    """A too long line is rejected with its true length; its neighbours stay."""
    data = b"one\n" + b"x" * 3_000_000 + b"\ntwo\n"
    limits = ReadLimits(max_document_bytes=1_000_000)
    outcome = read_all(reader(document="line"), put("a.txt.gz", gzip.compress(data)), limits=limits)
    assert outcome.texts == ["one", "two"]
    assert [(offset, reason, length) for offset, reason, _, length in outcome.rejects] == [(4, "too-large", 3_000_001)]


def test_the_gutenberg_frame_is_dropped_only_where_it_is(put: Any, read_all: Any) -> None:
    """Header and licence go with `gutenberg: true`; a file without them is kept whole."""
    book = b"head\n*** START OF THIS PROJECT GUTENBERG EBOOK X ***\nbody\n"
    book += b"*** END OF THIS PROJECT GUTENBERG EBOOK X ***\nend\n"
    framed, plain = put("a.txt", book), put("b.txt", b"no frame\n")
    outcome = read_all(reader(gutenberg=True), framed, plain)
    assert [(row["text"], row["offset"]) for row in outcome.rows] == [("body\n", 53), ("no frame\n", 0)]


@pytest.mark.parametrize(
    ("path", "chapters"), [("pg-11/11-0.txt", 12), ("pg-1342/1342-0.txt.gz", 61), ("pg-1661/1661.txt.gz", 12)]
)
def test_real_books_have_their_chapters(path: str, chapters: int, real_data: Path, put: Any, read_all: Any) -> None:
    """Alice has 12 chapters, Pride and Prejudice 61, Sherlock Holmes 12 adventures; each after some front matter."""
    source = real_data / "d_books" / path
    file = put(source.name, source.read_bytes())
    outcome = read_all(reader(document="chapter", gutenberg=True, encoding="auto"), file)
    assert (len(outcome.rows), outcome.rejects) == (chapters + 1, [])
