"""Lines of a stream: blocks of whole lines, lines that are too long, and byte ranges that start where lines start."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from corpusmill import InputFile, Reject
from corpusmill_plugins.readers.streams import PlainStream

BLOCK = 1 << 20
"""Bytes read and parsed at once; measured: 4 MiB costs 15 % more CPU (page faults), 512 KiB saves nothing."""
HEAD = 4096
"""Bytes of a bad record that go to quarantine."""


def line_blocks(stream: PlainStream, offset: int, limit: int, reject: Reject) -> Iterator[tuple[bytes, int]]:
    """Yield (block, position of its first byte) in order: whole lines, about `BLOCK` bytes.

    `offset`: position of the stream's first byte. A block is longer where a line is, and ends with a newline, but for
    the last line of a file without one. A line of more than `limit` bytes that spans blocks is rejected as `too-large`
    and never held.
    """
    held, held_bytes, ahead = list[bytes](), 0, b""
    while chunk := ahead or stream.read_full(BLOCK):
        ahead = b""
        cut = chunk.rfind(b"\n") + 1
        if cut:
            block = b"".join((*held, chunk[:cut])) if held or cut < len(chunk) else chunk
            yield block, offset
            offset += len(block)
            held, held_bytes = [], 0
        if cut < len(chunk):
            held.append(chunk[cut:])
            held_bytes += len(chunk) - cut
        if held_bytes > limit:
            ahead, length = _skip_line(stream, held_bytes)
            reject(b"".join(held)[:HEAD], offset, "too-large", f"{length} bytes, at most {limit}", length=length)
            offset += length + 1
            held, held_bytes = [], 0
    if held:
        yield b"".join(held), offset


def _skip_line(stream: PlainStream, length: int) -> tuple[bytes, int]:
    """Read to the end of the line; return what follows it and the line's whole length in bytes."""
    while chunk := stream.read_full(BLOCK):
        end = chunk.find(b"\n")
        if end >= 0:
            return chunk[end + 1 :], length + end
        length += len(chunk)
    return b"", length


def line_ranges(file: InputFile, step: int) -> list[tuple[int, int]]:
    """Cut a plain file at the first line start at or after each multiple of `step` bytes.

    The grid is constant, so appending to a file changes its last range only. A line longer than a step makes one
    long range. An empty file is one empty range.
    """
    cuts = [0]
    with file.open() as handle:
        for point in range(step, file.size, step):
            if point <= cuts[-1]:
                continue
            handle.seek(point - 1)
            cut = _after_newline(handle.read, point - 1)
            if cut >= file.size:
                break
            cuts.append(cut)
    return list(zip(cuts, [*cuts[1:], file.size], strict=True))


def _after_newline(read: Callable[[int], bytes], position: int) -> int:
    while chunk := read(64 << 10):
        end = chunk.find(b"\n")
        if end >= 0:
            return position + end + 1
        position += len(chunk)
    return position
