"""The entry of the command: from its first moment on a Ctrl-C ends it with a word, while Python still imports."""

from __future__ import annotations

import contextlib
import os
import signal
from typing import Any, NoReturn


def main() -> None:
    """Run the command line and exit; see `corpusmill.cli.main`."""
    # Whoever started this with Ctrl-C ignored (nohup, a script in the background) has a reason.
    heard = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if heard:
        signal.signal(signal.SIGINT, _leave)
    from corpusmill.cli import main as command_line

    try:
        if heard:
            # From here on commands tidy up behind a KeyboardInterrupt.
            signal.signal(signal.SIGINT, signal.default_int_handler)
        command_line()
    except SystemExit:
        # All is said; a Ctrl-C while Python closes down would replace the exit code by a signal.
        if heard:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        raise
    except KeyboardInterrupt:
        _leave()


def _leave(*_: Any) -> NoReturn:
    """End the process: nothing is open yet, and no exception can get lost in some import's own handlers."""
    with contextlib.suppress(OSError):
        os.write(2, b"stopped\n")
    os._exit(130)
