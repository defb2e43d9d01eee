"""`corpusmill try`: one operator on a few documents, before and after."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from corpusmill.cli.terminal import complain, say, say_json
from corpusmill.cli.with_options import with_options
from corpusmill.errors import CorpusmillError
from corpusmill.runner.records import DEFAULT_STORE

if TYPE_CHECKING:
    from corpusmill.face.trial import Announce, Trial

_EXAMPLES = """\b
Examples:
  corpusmill try my_filter.py --on data.jsonl --rows 20
  corpusmill try my_filter.py --on data.jsonl --with max_share=0.2 --watch
  corpusmill try filter.length --on run:quickstart/documents --with min_words=50
  corpusmill try clean.unicode --text 'Ｆｕｌｌ ｗｉｄｔｈ'
"""


@click.command("try", epilog=_EXAMPLES)
@click.argument("operator", metavar="FILE|NAME")
@click.option("--on", metavar="DATA", help="A file that a reader reads, run:NAME/STEP, or store:DIGEST.")
@click.option("--text", "texts", multiple=True, metavar="TEXT", help="A text instead; may be given several times.")
@click.option("--rows", default=20, show_default=True, type=click.IntRange(1), help="How many documents to take.")
@click.option("--with", "options", multiple=True, metavar="OPTION=VALUE", help="An option of the operator.")
@click.option("--operator", "name", metavar="NAME", help="Which one, where FILE registers several.")
@click.option("--column", metavar="NAME", help="The field with the text; default: text.")
@click.option("--seed", default=0, show_default=True, type=int, help="What random choices depend on.")
@click.option("--store", default=DEFAULT_STORE, show_default=True, help="The store that run: and store: mean.")
@click.option("--watch", is_flag=True, help="Try again whenever FILE is saved, until Ctrl-C.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, texts uncut.")
def try_(
    operator: str,
    on: str | None,
    texts: tuple[str, ...],
    rows: int,
    options: tuple[str, ...],
    name: str | None,
    column: str | None,
    seed: int,
    store: str,
    watch: bool,
    as_json: bool,
) -> None:
    """Try an operator on documents: verdicts with values and thresholds, the difference it makes, the columns it adds.

    FILE is a plugin file, NAME an operator such as filter.length. Nothing is stored. What the operator raises is shown
    with its own line and the smallest text that does it; the exit code is 1 then. It runs in a process of its own, so
    one that crashes is told with the document, too; breakpoints work.
    """
    if (on is None) == (not texts):
        raise click.UsageError("Give either --on DATA or --text TEXT.")
    if watch and not operator.endswith(".py"):
        raise click.UsageError("--watch needs a plugin FILE.")
    given = with_options(options)

    def once() -> int:
        from corpusmill.face.fatal import outlived
        from corpusmill.face.trying import trial

        def call(announce: Announce) -> Trial:
            taken = {"on": on, "texts": texts, "rows": rows, "column": column, "store": store}
            return trial(operator, options=given, name=name, seed=seed, announce=announce, **taken)  # type: ignore[arg-type]

        found = outlived(call, operator)
        _show(found, f"{found.uses} on {on or 'texts'}", as_json=as_json)
        return 1 if any(one.failure for one in found.tried) else 0

    sys.exit(_watch(Path(operator), once) if watch else once())


def _show(found: Trial, title: str, *, as_json: bool) -> None:
    from corpusmill.cli.trial_text import say_trial, trial_json

    if as_json:
        say_json(trial_json(found))
    else:
        say_trial(found, title=title)


def _watch(file: Path, once: Callable[[], int]) -> int:
    """Try again after each save; what goes wrong meanwhile is shown, and watching goes on. Ctrl-C is its good end."""
    from corpusmill.cli.watching import Watcher

    watcher = Watcher([file])
    try:
        while True:
            try:
                once()
            except CorpusmillError as error:
                complain(str(error))
            say(f"\nwatching {file}; Ctrl-C ends")
            sys.stdout.flush()
            watcher.wait()
            click.clear()
            say(f"{file} saved {datetime.now().astimezone():%H:%M:%S}\n")
    except KeyboardInterrupt:
        return 0
