"""Where the bytes of one file of an export go: what the disk refuses is remembered, for it is no writer's fault."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from corpusmill.dataset.disk import DiskFile


class FileSink(DiskFile):
    """A new file; `failure`: what the system said when it could not be written.

    A writer may swallow that, raise something else, or be taken for its cause: whoever gave it the sink asks this.
    """

    def __init__(self, path: Path):
        self.failure: OSError | None = None
        super().__init__(path)

    def write(self, data: Any, /) -> int:
        """Write all of some bytes."""
        try:
            return super().write(data)
        except OSError as error:
            self.failure = error
            raise
