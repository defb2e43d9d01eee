"""Makes the sample data beside this file from upstream sources: `python make_data.py SOURCES [TARGET]`.

SOURCES is a folder with the upstream archives, laid out as README.md's table names them. The same sources give the same
bytes. Standard library only.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from recipe import books, small, sources, web
from recipe.warc import write_warc

WARCS = 6


def main(root: Path, target: Path) -> None:
    """Write pages-*.warc.gz, books/, reviews/ and synonyms.tsv into `target`."""
    for folder in ("books", "reviews"):
        (target / folder).mkdir(parents=True, exist_ok=True)
    pages = web.captures(root)
    for number in range(WARCS):
        write_warc(target / f"pages-{number:02}.warc.gz", pages[number::WARCS])
    volumes = books.files(root)
    for name, content in volumes.items():
        (target / "books" / name).write_bytes(content)
    (target / "reviews" / "sentences.jsonl").write_bytes(small.reviews(root))
    english = b"".join(content for name, content in volumes.items() if not name.startswith("xu-")).decode().lower()
    chinese = "".join(modern for pairs in sources.chinese_histories(root).values() for _, modern in pairs)
    (target / "synonyms.tsv").write_bytes(small.lexicon(root, english, chinese[:600_000]))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else Path(__file__).resolve().parent)
