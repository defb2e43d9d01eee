"""`corpusmill demo`: the quickstart; with `--chaos` its processes are killed on the way, and nothing comes of it."""

from __future__ import annotations

import contextlib
import os
import random
import sys
import tempfile
from pathlib import Path

import click

from corpusmill.cli.terminal import complain, say
from corpusmill.errors import UsageError

QUICKSTART = Path("pipelines", "quickstart.yaml")
STARTER = "corpusmill-demo"
SHORT = ("model.steps=60", "model.checkpoint_every=10")
"""What shortens the quickstart's training, in both runs alike: a demonstration should take minutes."""
_MOST_WORKERS = 4


@click.command()
@click.argument("spec", type=click.Path(), required=False)
@click.option("--chaos", is_flag=True, help="Kill workers and driver meanwhile; prove that nothing came of it.")
@click.option("--kills", type=click.IntRange(1, 100), default=6, show_default=True, help="How many, with --chaos.")
@click.option("--seed", type=int, help="Draw whom and when from this; it is printed. The clock stays real.")
@click.option("--executor", type=click.Choice(["ray", "inline"]), default="ray", show_default=True, help="Run on this.")
@click.option("--folder", type=click.Path(), help="Where it takes place; with --chaos a new folder.")
@click.option("--set", "sets", multiple=True, metavar="ID.OPTION=VALUE", help="Change an option of a step.")
@click.option("--full", is_flag=True, help="With --chaos: train the quickstart's model to its end.")
def demo(
    spec: str | None,
    chaos: bool,
    kills: int,
    seed: int | None,
    executor: str,
    folder: str | None,
    sets: tuple[str, ...],
    full: bool,
) -> int:
    """Run the quickstart, or the pipeline file SPEC.

    With --chaos it is run twice, in stores of their own: once in peace, and once while its workers, its driver and
    Ray's node manager are killed (SIGKILL) at random moments and the command is started again. Then everything the
    two have published is compared, byte for byte. Exit code 0 only if all of it is equal.

    Without SPEC the file pipelines/quickstart.yaml is looked for from here upwards; where there is none, the project
    of `corpusmill init` is taken.

    \b
    Examples:
      corpusmill demo
      corpusmill demo --chaos
      corpusmill demo --chaos my-pipeline.yaml --executor inline --kills 10 --seed 7
    """
    if not chaos:
        _refuse_idle("kills", "seed", "full")
        return _plain(spec, executor, folder, sets)
    home = _home(folder)
    try:
        return _chaos(_spec(spec, home), kills, seed, executor, home, _sets(spec, sets, full=full))
    finally:
        with contextlib.suppress(OSError):
            home.rmdir()  # only where nothing came into it


def _chaos(spec: Path, kills: int, seed: int | None, executor: str, folder: Path, sets: tuple[str, ...]) -> int:
    from corpusmill.demo.account import Account
    from corpusmill.demo.demonstration import Demonstration, demonstrate
    from corpusmill.demo.ties import moved_exports, refuse_ties
    from corpusmill.plan.check import check

    checked = check(spec, sets=sets)
    refuse_ties(checked)
    moved = moved_exports(checked)
    drawn = random.randrange(1_000_000) if seed is None else seed
    arguments = [str(spec), "--executor", executor]
    if executor == "ray":
        arguments += ["--workers", str(min(_MOST_WORKERS, os.cpu_count() or 1))]
    for one in (*sets, *moved):
        arguments += ["--set", one]
    account = Account(sys.stdout)
    account.raw("corpusmill demo --chaos", "bold")
    changed = [["changed", f"{one} (in both runs)"] for one in (*sets, *moved)]
    drawn_from = f"{kills}, drawn with --seed {drawn}"
    account.rows([["pipeline", _shown(spec)], *changed, ["kills", drawn_from], ["folder", str(folder)]])
    plan = Demonstration(checked.spec.name, tuple(arguments), folder, kills, drawn, executor == "ray")
    return 0 if demonstrate(plan, account) else 1


def _plain(spec: str | None, executor: str, folder: str | None, sets: tuple[str, ...]) -> int:
    """Run the quickstart where we are, or in the folder that was named; the starter project in a folder of its own."""
    from corpusmill.cli.run import run

    found = Path(spec) if spec is not None else _quickstart()
    place = Path(folder or ("" if found is not None else STARTER))
    if found is None:
        _write_starter(place)
        say(f"no {QUICKSTART} from here upwards: the project of `corpusmill init`, in {place}")
    elif folder is not None:
        _make(place, folder)
    shown = "pipeline.yaml" if found is None else str(found.absolute() if folder is not None else found)
    complain(f"corpusmill run {_shown(Path(shown))} --executor {executor}")
    with contextlib.chdir(place):
        click.get_current_context().invoke(run, spec=shown, sets=sets, params={}, blocked=(), executor=executor)
    return 0


def _refuse_idle(*names: str) -> None:
    """An option that would change nothing is a mistake to tell of."""
    context = click.get_current_context()
    for name in names:
        if context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE:
            raise UsageError(f"--{name} goes with --chaos", hint=f"corpusmill demo --chaos --{name} …")


def _spec(spec: str | None, folder: Path) -> Path:
    if spec is not None:
        return Path(spec).absolute()
    found = _quickstart()
    if found is None:
        found = folder / "project" / "pipeline.yaml"
        _write_starter(found.parent)
    return found


def _quickstart() -> Path | None:
    here = Path.cwd()
    return next((one / QUICKSTART for one in (here, *here.parents) if (one / QUICKSTART).is_file()), None)


def _write_starter(folder: Path) -> None:
    """Write the project of `corpusmill init`, unless it is there."""
    from corpusmill.cli.init import project_files
    from corpusmill.cli.scaffold import write_new

    if not (folder / "pipeline.yaml").is_file():
        write_new(folder, project_files("starter"))


def _home(folder: str | None) -> Path:
    """Return the folder of both runs; one that holds something is refused."""
    if folder is None:
        return Path(tempfile.mkdtemp(prefix=f"{STARTER}-")).resolve()
    path = Path(folder).resolve()
    _make(path, folder)
    there = next(path.iterdir(), None)
    if there is not None:
        raise UsageError(
            f"the folder {folder!r} holds something already ({there.name})",
            expected="a new or empty folder: both runs start from nothing",
            hint="name another --folder, or leave it out for a temporary one",
        )
    return path


def _make(path: Path, named: str) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"the folder {named!r} cannot be made: {error.strerror or error}") from error


def _sets(spec: str | None, sets: tuple[str, ...], *, full: bool) -> tuple[str, ...]:
    """Shorten the quickstart that was found, but never what the user sets."""
    found = None if spec is not None or full else _quickstart()
    if found is None:
        return sets
    named = {one.partition("=")[0] for one in sets}
    return (*(one for one in SHORT if one.partition("=")[0] not in named), *sets)


def _shown(path: Path) -> str:
    """The path as seen from here where that is shorter."""
    try:
        return str(path.absolute().relative_to(Path.cwd()))
    except ValueError:
        return str(path)
