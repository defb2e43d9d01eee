"""The command of a run: recorded in its folder, without secrets, so that `corpusmill retry` can give it again."""

from __future__ import annotations

import json
import os
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NoReturn

from corpusmill.dataset.hashing import hash_bytes
from corpusmill.errors import UsageError
from corpusmill.plan.check import check
from corpusmill.plan.checked import CheckedSpec
from corpusmill.runner.records import DEFAULT_STORE, RunRecord
from corpusmill.spec.model import Spec
from corpusmill.spec.overrides import Override

if TYPE_CHECKING:
    from corpusmill.runner.driver import RunOptions

FILE_NAME = "command.json"
_OPTIONS = ("executor", "address", "workers", "until", "limit")
"""Options of a run that are given again; where its store is, the caller knows."""
_REFERENCE = re.compile(r"\$\{env:([A-Za-z_][A-Za-z0-9_-]*)\}")
_OPTION_OF = {"run.batch_bytes": "--batch-bytes", "seed": "--seed"}


@dataclass(frozen=True)
class Given:
    """What was laid over a spec: the arguments of `corpusmill.plan.check.check` of these names."""

    sets: Sequence[Override] = ()
    params: Mapping[str, Any] = field(default_factory=dict)
    profile: str | None = None
    blocked: Sequence[str] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)

    def check(self, source: str | os.PathLike[str] | Mapping[str, Any], until: str | None = None) -> CheckedSpec:
        """Check a spec with all of it; raises SpecError."""
        return check(
            source,
            sets=self.sets,
            params=self.params,
            profile=self.profile,
            blocked=self.blocked,
            settings=self.settings,
            until=until,
        )


@dataclass(frozen=True)
class Command:
    """A run's command as its folder remembers it.

    `folder`: where it was given; relative paths in it start there. `spec`: the file as it was named, None for a spec
    that was given as a mapping. `options`: by name of `RunOptions`. `profile_hash`: of the profile's bytes. `shown`:
    params as they may be shown, without secrets.
    """

    record: RunRecord
    folder: Path
    spec: str | None
    given: Given
    options: Mapping[str, Any]
    profile_hash: str | None = None
    shown: Mapping[str, Any] = field(default_factory=dict)

    @property
    def source(self) -> str | Mapping[str, Any]:
        """The spec: the file, or the mapping that the run was given."""
        if self.spec is not None:
            return self.spec
        found: Mapping[str, Any] = json.loads((self.record.folder / "spec.yaml").read_bytes())
        return found

    def line(self, *last: str) -> str:
        """Return what people would type for the same, with these `last` words behind it."""
        words = ["corpusmill", "run", self.spec or "SPEC"]
        words += [word for one in self.given.sets for word in ("--set", _set_text(one))]
        words += [word for name, value in self.shown.items() for word in ("--param", f"{name}={value}")]
        words += ["--profile", self.given.profile] if self.given.profile else []
        words += [word for name in self.given.blocked for word in ("--no-plugin", name)]
        words += [word for name, value in self.given.settings.items() for word in (_OPTION_OF[name], str(value))]
        words += [word for name, value in self.options.items() if value for word in (f"--{name}", str(value))]
        store = self.record.store if "://" in self.record.store else str(Path(self.record.store).resolve())
        words += [] if store == str((self.folder / DEFAULT_STORE).resolve()) else ["--store", store]
        return shlex.join([*words, *last])

    def expect_there(self) -> None:
        """Raise UsageError where the folder, the spec or the profile is gone."""
        spec, profile = self.folder / (self.spec or ""), self.folder / (self.given.profile or "")
        if not self.folder.is_dir():
            self._gone("the folder it was started in", self.folder, f"in another folder: {self.line('--retry')}")
        if not spec.exists():
            copy = shlex.join(["cp", str(self.record.folder / "spec.yaml"), str(spec)])
            self._gone("its spec file", spec, f"{copy} puts it back as it was")
        if not profile.exists():
            self._gone("its profile", profile, f"with another one: {self.line('--retry')}")

    def _gone(self, what: str, place: Path, hint: str) -> NoReturn:
        raise UsageError(
            f"{what} is gone: {str(place)!r}",
            where=f"run {self.record.name}@{self.record.timestamp}, {self.record.folder / FILE_NAME}",
            expected="what the run was made with, where it was; it may have changed",
            hint=hint,
        )

    def changes(self) -> list[str]:
        """Say what is no longer as it was when the run was made; it is taken as it is now."""
        told = []
        recorded = self.record.folder / "spec.yaml"
        if self.spec is not None and recorded.is_file():
            now = (self.folder / self.spec).read_bytes().removeprefix(b"\xef\xbb\xbf")
            if now != recorded.read_bytes():
                told.append(f"{self.spec} has changed since {self.record.timestamp}; it is taken as it is now")
        if self.given.profile and hash_bytes((self.folder / self.given.profile).read_bytes()) != self.profile_hash:
            told.append(f"{self.given.profile} has changed since then; it is taken as it is now")
        return told


def describe_command(spec: Spec, options: RunOptions) -> dict[str, Any]:
    """Return what the run's folder keeps of its command.

    Values of `${env:X}` are kept as such references wherever they occur; params that hold one are named, because
    nothing is substituted in what `--param` gives.
    """
    given = options.given
    profile = given.profile
    told: dict[str, Any] = {
        "folder": str(Path.cwd()),
        "spec": spec.path or None,
        "sets": [one if isinstance(one, str) else list(one) for one in given.sets],
        "params": dict(given.params),
        "profile": profile,
        "profile_hash": hash_bytes(Path(profile).read_bytes()) if profile else None,
        "blocked": list(given.blocked),
        "settings": dict(given.settings),
        "options": {name: getattr(options, name) for name in _OPTIONS},
    }
    hidden: dict[str, Any] = _redacted(json.loads(json.dumps(told, default=str)), spec)
    held = hidden["params"].items()
    hidden["from_environment"] = sorted(name for name, value in held if value != _plain(told["params"][name]))
    return hidden


def recorded_command(
    record: RunRecord, params: Mapping[str, Any] = MappingProxyType({}), sets: Sequence[Override] = ()
) -> Command:
    """Return the command of a run, with other values for some params, and further options of steps.

    Raises UsageError for a run that left none, and where a param held a secret that is not set now.
    """
    try:
        told = json.loads((record.folder / FILE_NAME).read_bytes())
        held = {name: value for name, value in told["params"].items() if name not in params}
        given = Given(
            [*(one if isinstance(one, str) else (one[0], one[1]) for one in told["sets"]), *sets],
            {name: _given_again(name, value, told["from_environment"]) for name, value in held.items()} | dict(params),
            told["profile"],
            told["blocked"],
            told["settings"],
        )
        hashed, shown = told["profile_hash"], held | dict.fromkeys(params, "…")
        return Command(record, Path(told["folder"]), told["spec"], given, told["options"], hashed, shown)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f"run {record.name!r} ({record.timestamp}) has no record of its command",
            where=str(record.folder / FILE_NAME),
            expected="a run of this version of corpusmill",
            hint="corpusmill run SPEC --retry, with the options that the run was given",
        ) from error


def _given_again(name: str, value: Any, hidden: Sequence[str]) -> Any:
    if name not in hidden or not isinstance(value, str):
        return value

    def look_up(match: re.Match[str]) -> str:
        if match[1] not in os.environ:
            raise UsageError(
                f"param {name!r} of the run held the value of the environment variable {match[1]!r}, which is not set",
                expected="the same secret again: it is written nowhere",
                hint=f"export {match[1]}=… before, or --param {name}=VALUE",
            )
        return os.environ[match[1]]

    return _REFERENCE.sub(look_up, value)


def _redacted(value: Any, spec: Spec) -> Any:
    if isinstance(value, str):
        return spec.redact(value)
    if isinstance(value, list):
        return [_redacted(one, spec) for one in value]
    if isinstance(value, dict):
        return {name: _redacted(one, spec) for name, one in value.items()}
    return value


def _plain(value: Any) -> Any:
    return json.loads(json.dumps(value, default=str))


def _set_text(one: Override) -> str:
    return one if isinstance(one, str) else f"{one[0]}={json.dumps(one[1])}"
