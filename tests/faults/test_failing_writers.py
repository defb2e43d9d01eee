"""What a writer, or the disk below it, does whatever the documents are: no document is left out for that."""

from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path
from typing import Any

import pytest

from corpusmill.dataset import disk
from corpusmill.errors import OperatorError, StoreError


def steps(pit: Any, uses: str, **options: Any) -> list[dict[str, Any]]:
    """A reader and a writer."""
    pit.misbehave_late()
    return [pit.read(), {"id": "out", "uses": uses, "with": {"path": str(pit.root / "out"), **options}}]


class Refusing(disk.Disk):
    """A disk that refuses the first bytes of a data file, and takes them when it is asked again."""

    def __init__(self, number: int):
        self.number, self.refused, self.held = number, 0, set[int]()

    def create(self, path: Path) -> int:
        """Note the files that hold documents."""
        file = super().create(path)
        if ".records" in path.parts:
            self.held.add(file)
        return file

    def write(self, file: int, data: bytes | memoryview) -> int:
        """Refuse once."""
        if file in self.held and not self.refused:
            self.refused += 1
            raise OSError(self.number, os.strerror(self.number))
        return super().write(file, data)


@pytest.mark.parametrize("uses", ["write.plain", "write.forgiving"])
@pytest.mark.parametrize("number", [errno.EIO, errno.EACCES, errno.ENOSPC])
def test_what_the_disk_refuses_is_no_document_and_no_writer_to_blame_for(pit: Any, number: int, uses: str) -> None:
    """The run stops with the file; nothing is in quarantine, and run again all documents are there: also where the
    writer makes light of it."""
    pit.documents(files=1, rows=5)
    with disk.swapped(Refusing(number)) as refusing, pytest.raises(StoreError, match=r"data/train-00000") as caught:
        pit.run(steps(pit, uses), debug=True)
    assert (refusing.refused, caught.value.hint.endswith("finished files are kept")) == (1, True)
    outputs = pit.run(steps(pit, uses), debug=True).outputs
    assert (outputs["outputs"]["out"]["rows"], outputs["quarantine"]) == (5, 0)


def test_looking_for_documents_needs_no_room_for_temporary_files(pit: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where none can be made, the document that the writer raises on is left out, and none beside it."""
    pit.documents(files=1, rows=5, poison=[(0, 3)], word="POISON")
    monkeypatch.setattr(tempfile, "tempdir", str(pit.root / "nowhere"))
    outputs = pit.run(steps(pit, "write.plain", action="raise"), debug=True).outputs
    assert outputs["counts"]["out"]["quarantined"] == {"raised ValueError": 1}


@pytest.mark.parametrize(
    ("action", "told", "place"),
    [
        ("raise", r"write\.spent raised ValueError: poison found\n", "step out, late.py:"),
        ("exit1", r"write\.spent exited with code 1 on no documents at all", "step out (write.spent)"),
    ],
)
def test_a_writer_that_fails_on_a_file_without_documents(pit: Any, action: str, told: str, place: str) -> None:
    """It fails on all files, however few documents they have: plugin, step and line are told, no document is blamed."""
    pit.documents(files=1, rows=3)
    with pytest.raises(OperatorError, match=told) as caught:
        pit.run(steps(pit, "write.spent", action=action), debug=action == "raise")
    assert str(caught.value.where).startswith(place)
    assert not (pit.root / "out").exists()


def test_two_exports_of_the_same_documents_leave_out_the_same(pit: Any) -> None:
    """What is found for one holds for the other; where `retry` mends some, both are made again and tell of the rest."""
    pit.documents(files=1, rows=9, poison=[(0, 3), (0, 4)], word="POISON")

    def exports(**options: Any) -> list[dict[str, Any]]:
        read, out = steps(pit, "write.plain", action="raise", **options)
        other = {**out, "id": "other", "needs": "read", "with": {**out["with"], "path": str(pit.root / "other")}}
        return [read, out, other]

    for run, left in ({"store": "store"}, 2), ({"retry": True}, 1):
        outputs = pit.run(exports(spared="document 4 " if left == 1 else ""), debug=True, **run).outputs
        told = [outputs["counts"][step] for step in ("out", "other")]
        assert [(one["out"], one["quarantined"]) for one in told] == [(9 - left, {"raised ValueError": left})] * 2
        assert len(pit.quarantine(outputs)) == outputs["quarantine"] == 2 * left
        assert outputs["outputs"]["out"]["digest"] == outputs["outputs"]["other"]["digest"]
        lines = [next((pit.root / name / "data").iterdir()).read_text().splitlines() for name in ("out", "other")]
        assert [len(one) for one in lines] == [9 - left] * 2


def test_a_writer_that_leaves_documents_unread_stops_the_run(pit: Any) -> None:
    """An export is whole or it is none: plugin, step, and after how many documents it returned."""
    pit.documents(files=3, rows=5)
    with pytest.raises(OperatorError, match=r"write\.hasty returned from encode\(\) after 5 documents") as caught:
        pit.run(steps(pit, "write.hasty", file_bytes=1 << 20), debug=True)
    assert str(caught.value.where).startswith("step out (write.hasty)")
    assert caught.value.hint == "corpusmill plugins check ./late.py"
    assert not (pit.root / "out").exists()
