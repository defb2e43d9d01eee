"""The read kind: turns byte ranges of files into batches, and bad records into quarantine."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from typing import IO, TYPE_CHECKING, Any, ClassVar, Protocol

from corpusmill.errors import CorruptFile
from corpusmill.plugin.operator import Operator
from corpusmill.plugin.option import Options, Size, option
from corpusmill.plugin.ports import Port

if TYPE_CHECKING:
    import pyarrow as pa

    from corpusmill.spec.model import Limits


EXPANSION_GRACE = 64_000_000
"""Bytes of output before `max_expansion` counts: short files may compress well for honest reasons."""


@dataclass(frozen=True)
class ReadLimits:
    """Bounds that keep hostile input from hurting; a spec sets them under `limits`."""

    max_document_bytes: int = 20_000_000
    max_json_depth: int = 512
    max_expansion: int = 1_000
    """Largest ratio of decompressed to stored bytes, applied after the first 64 MB of output."""
    max_expanded_bytes: int | None = 1_000_000_000_000
    """Most bytes that a compressed file may hold; None = no bound."""

    @staticmethod
    def of(limits: Limits) -> ReadLimits:
        """Return what the limits of a step say about reading."""
        return ReadLimits(**{one.name: getattr(limits, one.name) for one in fields(ReadLimits)})

    def exceeded(
        self, name: str, stored: int, plain: int, *, what: str = "", at: int | None = None
    ) -> CorruptFile | None:
        """Return the error for a file, or a part of it (`what`), that expands too far; None where it does not.

        `stored`, `plain`: bytes read so far and what came out of them. Ask while reading, before memory is taken.
        """
        if self.max_expanded_bytes is not None and plain > self.max_expanded_bytes:
            reason = f"{what}holds more than {self.max_expanded_bytes:,} bytes, the limit max_expanded_bytes"
            return CorruptFile(name, reason, offset=at, limit="max_expanded_bytes")
        if plain > EXPANSION_GRACE and plain > self.max_expansion * stored:
            reason = f"{what}expands more than {self.max_expansion:,}:1, the limit max_expansion (a bomb?)"
            return CorruptFile(name, reason, offset=at, limit="max_expansion")
        return None


class InputFile(Protocol):
    """One input file, wherever it lies."""

    @property
    def name(self) -> str:
        """Its path relative to the reader's root."""

    @property
    def size(self) -> int:
        """Stored bytes."""

    def open(self) -> IO[bytes]:
        """Open the stored bytes for random access."""


@dataclass(frozen=True)
class Slice:
    """A range of one file. `start` and `stop` count what the reader's `ranges` counts (bytes or row groups)."""

    file: InputFile
    start: int
    stop: int
    limits: ReadLimits = field(default_factory=ReadLimits)


class Reject(Protocol):
    """Sends one bad record to quarantine."""

    def __call__(self, raw: bytes, offset: int, reason: str, detail: str = "", length: int | None = None) -> None:
        """`raw`: the record as it stood, at most a few KB of it; `offset`: its place, in the reader's positions.

        `reason`: a short stable word (`invalid-json`, `too-large`); `detail`: the parser's words, no addresses.
        `length`: its true length in bytes when `raw` was capped.
        """


class Expect(Options):
    """What is known of an input before it is read."""

    files: int | None = option(None, ge=0, help="how many files there are")
    rows: int | None = option(None, ge=0, help="how many records there are in all of them, bad ones included")


class Reader(Operator):
    """Reads files into documents.

    `ranges` cuts one file on a constant grid (never by workers or cores), `read` turns one slice into batches with
    the columns of `adds()` plus `offset` (int64): the record's position, unique in its file. The engine makes `id`
    from the step's id, file name and offset, and adds `file`. `source` (large_string) may be given by the reader (a
    page's URL); otherwise it is the file name. A damaged file raises `CorruptFile`, a bad record goes to `reject`.
    """

    kind = "read"
    inputs: ClassVar[dict[str, type[Port] | Port]] = {}
    outputs: ClassVar[dict[str, str]] = {"quarantine": "documents"}
    counts: ClassVar[str] = "bytes"
    """What `ranges` counts: bytes of the stored file, or something else (`row groups`)."""
    suffixes: ClassVar[tuple[str, ...]] = ()
    """File endings this reader understands, for messages only."""

    class Options(Options):
        """Options every reader has."""

        paths: str | list[str] = option(
            help="files to read: a path or glob, or a list of them, from the spec's folder", affects_result=False
        )
        shard: Size = option(
            64 << 20, help="largest slice of a file that is one unit of work", unit="bytes", gt=0, affects_result=False
        )
        id: str | None = option(None, help="column that holds the ids; default: made from input, file and place")
        input: str | None = option(
            None, help="name of this input in ids made from places; default: the step's id", affects_result=False
        )
        # Neither affects a result: a file that is not what was promised is damaged, or the run fails.
        checksums: str | None = option(
            None,
            help="list of the files' checksums as sha256sum (md5sum, sha512sum, …) writes it; every file must be in it",
            affects_result=False,
        )
        expect: Expect | None = option(
            None, help="what there is to be read: another number of files or rows fails the run", affects_result=False
        )

    @property
    def input_name(self) -> str:
        """What tells this reader's files from another's of the same relative names: `input`, or the step's id.

        Part of the ids made from places. Empty where ids come from a column: that step may be renamed for nothing.
        """
        return "" if self.options.id is not None else str(self.options.input or self.context.step)

    def reads(self) -> tuple[str, ...]:
        """Nothing: a reader starts a chain."""
        return ()

    def adds(self) -> dict[str, pa.DataType]:
        """The columns `read` yields, without `offset`, which every reader yields."""
        import pyarrow as pa

        return {"text": pa.large_string()}

    def ranges(self, file: InputFile) -> list[tuple[int, int]]:
        """Cut one file; the default takes it whole. Ends must lie on record starts; ranges cover the file."""
        return [(0, file.size)]

    def read(self, part: Slice, reject: Reject) -> Iterator[pa.RecordBatch]:
        """Yield the documents of one slice in order, batches of a few MB."""
        raise NotImplementedError

    def prepare(self, files: list[InputFile]) -> None:
        """Look at all input files once before anything is read (to infer a schema); raises CorruptFile."""

    def state(self) -> dict[str, Any]:
        """Return what `prepare` found out, JSON-able: it enters the fingerprint and travels to the workers."""
        return {}

    def restore(self, state: dict[str, Any]) -> None:
        """Take the `state()` of the operator that was prepared; the engine calls it in the workers before `read`."""
