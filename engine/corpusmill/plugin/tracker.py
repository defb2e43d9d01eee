"""The kind that follows a run: an observer with options, which a spec turns on with `run: {track: […]}`."""

from __future__ import annotations

from typing import Any, ClassVar

from corpusmill.plugin.option import Options


class Tracker:
    """Tells another system what a run does.

    Methods marked with `@hookimpl` and named after the life-cycle hooks (`corpusmill_metrics`, …; see
    docs/hooks.md) are called in the driver, from `corpusmill_run_started` to `corpusmill_run_finished`. What they
    raise is a warning and never stops the run. A tracker is built once a run, before anything is read.
    """

    Options: ClassVar[type[Options]] = Options

    def __init__(self, options: Any):
        self.options = options
