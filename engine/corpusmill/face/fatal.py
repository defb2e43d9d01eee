"""A trial whose operator may take its process along: what kills it is told with the document, like any other error."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import takewhile
from pathlib import Path
from types import MappingProxyType
from typing import Any

from corpusmill.errors import OperatorError
from corpusmill.face.forked import Death, LastWords, in_child
from corpusmill.face.trial import Announce, Trial, Tried
from corpusmill.plugin.local import LocalPlugin
from corpusmill.runner.guard import check_command
from corpusmill.testing.attempt import display_path

_EXCERPT = 60
_ENGINE = str(Path(__file__).parents[1])


def outlived(
    call: Callable[[Announce], Trial],
    name: str,
    homes: Mapping[str, str] = MappingProxyType({}),
    local: Sequence[LocalPlugin] = (),
) -> Trial:
    """Return the trial that a call makes in a child process; `call` announces each document before it is tried.

    `name`: the operator, its plugin file, or the step, for a death before anything was announced. `homes`: where the
    operators are from, by `uses`. `local`: the plugin files, where `name` is none. Raises what the call raises, and
    OperatorError where its process dies.
    """
    found = in_child(lambda words: call(partial(_announce, words)))
    if isinstance(found, Death):
        file = name.endswith(".py")
        raise _fatal(found, name, name if file else homes, [LocalPlugin.read(name, Path.cwd())] if file else local)
    return found


def _announce(words: LastWords, uses: str, one: Tried | None) -> None:
    told: dict[str, Any] = {"uses": uses}
    if one is not None:
        text = None if one.text is None else one.text[: _EXCERPT + 1]
        told |= {"number": one.number + 1, "id": one.id, "file": one.file, "offset": one.offset, "text": text}
    words.say(json.dumps(told))


def _fatal(death: Death, name: str, homes: str | Mapping[str, str], local: Sequence[LocalPlugin]) -> OperatorError:
    told = json.loads(death.words) if death.words else {}
    uses = told.get("uses", name)
    if "number" in told:
        when = f"on document {told['number']}"
    else:
        when = "while it was set up" if told else "while it was imported"
    where = [_place(death, local), _document(told)]
    return OperatorError(
        f"{uses} {death.how} {when}, and took its process along",
        where=", ".join(one for one in where if one) or None,
        expected="an operator that returns or raises, whatever the text",
        hint=check_command(uses, homes if isinstance(homes, str) else homes.get(uses, uses)),
    )


def _place(death: Death, local: Sequence[LocalPlugin]) -> str | None:
    """Return the line that was being run: the innermost of a plugin file, else the one that the engine had called."""
    names = {one.name: display_path(os.path.normpath(one.name)) for one in local}
    called = [f"{file}:{line}" for file, line in takewhile(lambda one: not one[0].startswith(_ENGINE), death.frames)]
    own = [f"{names[file]}:{line}" for file, line in death.frames if file in names]
    return next(iter([*own, *called[-1:]]), None)


def _document(told: Mapping[str, Any]) -> str | None:
    if "number" not in told:
        return None
    text = told["text"]
    shown = "null" if text is None else json.dumps(text[:_EXCERPT], ensure_ascii=False)
    place = f" ({told['file']} @ {told['offset']})" if told["file"] else ""
    return f"document {told['number']}{place}: {shown}{' …' if text and len(text) > _EXCERPT else ''}"
