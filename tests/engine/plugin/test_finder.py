"""Plugins are found by metadata, registered one by one, and a broken one stops no other."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from corpusmill.errors import PluginError
from corpusmill.plugin import finder
from corpusmill.plugin.finder import find, load_registry, plugin_manager
from corpusmill.plugin.identity import code_identity
from corpusmill.plugin.resolve import resolve

Install = Callable[..., None]
HOOK = """
from corpusmill import hookimpl
@hookimpl
def corpusmill_register(registry):
    {}
"""
SUBCLASS = "import corpusmill as mill\nclass Plain(mill.Filter):\n"
FILTER = """
from corpusmill import Filter, at_least
class Plain(Filter):
    "Keeps."
    version = 3
    depends = ("pluggy", "no-such-distribution")
    def rules(self):
        return [at_least("a", 1)]
"""


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Write a distribution by hand, as pip would leave it, into a folder on the path."""
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("CORPUSMILL_NO_PLUGINS", "corpusmill")

    def write(name: str, entries: dict[str, str], requires: str = "", direct_url: str = "", **modules: str) -> None:
        folder = tmp_path / f"{name.replace('-', '_')}-1.2.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2\n{requires}")
        lines = "\n".join(f"{key} = {value}" for key, value in entries.items())
        (folder / "entry_points.txt").write_text(f"[corpusmill]\n{lines}\n")
        if direct_url:
            (folder / "direct_url.json").write_text(direct_url)
        for module, source in modules.items():
            (tmp_path / f"{module}.py").write_text(source)
            monkeypatch.delitem(sys.modules, module, raising=False)

    return write


def register(statement: str) -> str:
    return HOOK.format(statement)


def causes() -> dict[str, str]:
    return {broken.origin.plugin: broken.cause for broken in load_registry().broken}


def test_plugins_are_sorted_whatever_the_order_of_installation(install: Install) -> None:
    """By distribution, then name."""
    install("zeta", {"b": "zeta_b", "a": "zeta_a"})
    install("Acme_Filters", {"emoji": "acme_emoji"})
    assert [one.origin.plugin for one in find()] == ["acme-filters:emoji", "zeta:a", "zeta:b"]


def test_built_ins_are_found_like_strangers(monkeypatch: pytest.MonkeyPatch) -> None:
    """They come from this distribution's own entry points and can be left out by name."""
    monkeypatch.delenv("CORPUSMILL_NO_PLUGINS", raising=False)
    names = {one.origin.plugin for one in find()}
    assert {"corpusmill:readers", "corpusmill:filters"} <= names
    assert "corpusmill:filters" not in {one.origin.plugin for one in find(["filters"])}
    assert find(["corpusmill"]) == []
    assert load_registry().broken == []


@pytest.mark.parametrize("name", ["acme", "emoji", "acme:emoji", "ACME", "other, acme"])
def test_plugins_are_left_out_by_name(install: Install, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """By distribution, entry point or both, from the environment."""
    install("acme", {"emoji": "acme_emoji_out"})
    monkeypatch.setenv("CORPUSMILL_NO_PLUGINS", f"corpusmill,{name}")
    assert find() == []


def test_operators_are_named_without_importing_them(install: Install) -> None:
    """Registration knows names and targets; the target's module stays unimported."""
    hook = register("registry.filter('plain', 'acme_lazy_target:Plain', 'Keeps.', extra='x')")
    install("acme", {"f": "acme_lazy"}, acme_lazy=hook)
    found = load_registry().operators["filter.plain"]
    assert (found.target, found.owner, found.extra) == ("acme_lazy_target:Plain", "acme 1.2", "x")
    assert "acme_lazy_target" not in sys.modules


def test_broken_plugins_stop_no_other(install: Install) -> None:
    """Each is kept with its cause: import error, misspelt hook, wrong arguments, no hook, hook that raises."""
    good = register("registry.filter('good', 'a:B', 'Good.')")
    raising = register("registry.filter('half', 'a:B', 'Half.'); registry.filter('half', 'a:B', 'Half.')")
    install(
        "acme",
        {
            "a": "acme_raises",
            "b": "acme_misspelt",
            "c": "acme_arguments",
            "d": "acme_none",
            "e": "acme_half",
            "f": "acme_good",
            "g": "acme_absent",
            "h": "acme_unmarked",
        },
        acme_raises="raise ValueError('no lexicon')",
        acme_misspelt=good.replace("corpusmill_register", "corpusmill_regster"),
        acme_arguments=good.replace("(registry)", "(registry, colour)"),
        acme_none="",
        acme_half=raising,
        acme_good=good,
        acme_unmarked=good.replace("@hookimpl", ""),
    )
    found = causes()
    assert found["acme:a"] == "its import raised ValueError: no lexicon"
    assert "unknown hook 'corpusmill_regster', the nearest is 'corpusmill_register'" in found["acme:b"]
    assert "colour" in found["acme:c"]
    assert "it has no hook" in found["acme:d"]
    assert "'filter.half' is registered twice by acme 1.2" in found["acme:e"]
    assert "ModuleNotFoundError" in found["acme:g"]
    assert "not marked with @corpusmill.hookimpl" in found["acme:h"]
    assert list(load_registry().operators) == ["filter.good"]


def test_plugins_for_another_interface_are_refused(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    """A newer one, an older one, no number: both versions and the remedy are named; one that says nothing is for 1."""
    good = register("registry.filter({!r}, 'a:B', 'Good.')")
    written = {"new": "corpusmill_api = 9", "text": "corpusmill_api = '1'", "one": "corpusmill_api = 1", "none": ""}
    modules = {f"acme_api_{name}": good.format(name) + line for name, line in written.items()}
    install("acme", {name: f"acme_api_{name}" for name in written}, **modules)
    newer = "it is written for version {} of the plugin interface, this corpusmill has version {}: "
    assert causes() == {
        "acme:new": newer.format(9, 1) + "pip install --upgrade corpusmill",
        "acme:text": "its corpusmill_api is '1'; expected a whole number, such as 1",
    }
    assert set(load_registry().operators) == {"filter.one", "filter.none"}
    monkeypatch.setattr(finder, "API", 9)
    older = newer.format(1, 9) + "install a newer version of the plugin"
    assert {name: cause for name, cause in causes().items() if name != "acme:text"} == dict.fromkeys(
        ["acme:one", "acme:none"], older
    )


def test_what_the_face_does_not_have_is_told_with_its_version(install: Install) -> None:
    """An import of a name from corpusmill that is not there is most likely written for another version."""
    install("acme", {"f": "acme_asks"}, acme_asks="from corpusmill import Oracle")
    (cause,) = causes().values()
    assert "cannot import name 'Oracle' from 'corpusmill'" in cause
    assert cause.endswith("(this corpusmill has version 1 of the plugin interface)")


def test_a_name_claimed_twice_names_both_owners(install: Install) -> None:
    """Only the contested name is unusable, and leaving one plugin out settles it."""
    hook = register("registry.filter('same', 'a:B', 'Same.'); registry.filter({!r}, 'a:B', 'Own.')")
    install("acme", {"f": "acme_same"}, acme_same=hook.format("own-a"))
    install("zeta", {"f": "zeta_same"}, zeta_same=hook.format("own-z"))
    registry = load_registry()
    with pytest.raises(PluginError, match=r"registered twice: by acme 1\.2 and by zeta 1\.2"):
        registry.lookup("filter.same")
    assert registry.lookup("filter.own-z").owner == "zeta 1.2"
    assert load_registry(blocked=["acme"]).lookup("filter.same").owner == "zeta 1.2"


def test_missing_extras_are_told_apart(install: Install) -> None:
    """Known but not installed: the message is the pip command; nothing is imported to find out."""
    wanted = ["no-such-distribution>=2", "pluggy"]
    requires = "".join(f'Requires-Dist: {name}; extra == "web"\n' for name in wanted)
    hook = register("registry.filter('plain', 'acme_extra_target:Plain', 'Keeps.', extra='web')")
    install("acme-web", {"f": "acme_extra"}, requires, acme_extra=hook, acme_extra_target="raise AssertionError")
    with pytest.raises(PluginError) as caught:
        resolve(load_registry().lookup("filter.plain"))
    assert "is known, but its extra 'web' is not installed (missing: no-such-distribution)" in caught.value.what
    assert caught.value.hint == "pip install 'acme-web[web]'"


def test_targets_that_fail_to_import_show_the_cause(install: Install) -> None:
    """The operator's own import error is not taken for a missing extra."""
    hook = register("registry.filter('plain', 'acme_cause_target:Plain', 'Keeps.')")
    install("acme", {"f": "acme_cause"}, acme_cause=hook, acme_cause_target="import acme_no_such_module")
    with pytest.raises(
        PluginError, match="fails to import: ModuleNotFoundError: No module named 'acme_no_such_module'"
    ):
        resolve(load_registry().lookup("filter.plain"))


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("Plain = 3", "has no class"),
        ("class Plain: pass", "is not a Filter"),
        ("from corpusmill import Cleaner as Plain", "is not a Filter"),
        (
            "import pydantic, corpusmill\nclass Plain(corpusmill.Filter):\n    Options = pydantic.BaseModel",
            "do not refuse",
        ),
        (f"{SUBCLASS}    class Options(mill.Options):\n        model_config = {{'extra': 'allow'}}", "do not refuse"),
    ],
)
def test_classes_of_another_kind_are_refused(
    install: Install, monkeypatch: pytest.MonkeyPatch, source: str, said: str
) -> None:
    """What `uses: filter.x` names must be a Filter whose options refuse unknown keys."""
    hook = register("registry.filter('plain', 'acme_kind_target:Plain', 'Keeps.')")
    install("acme", {"f": "acme_kind"}, acme_kind=hook, acme_kind_target=source)
    with pytest.raises(PluginError, match=said):
        resolve(load_registry().lookup("filter.plain"))


def test_unknown_operators_name_what_could_not_be_loaded(install: Install) -> None:
    """A name may be unknown because its plugin is broken; the hint says so."""
    install("acme", {"f": "acme_hint"}, acme_hint="raise ValueError('no lexicon')")
    with pytest.raises(PluginError) as caught:
        load_registry().lookup("filter.plain")
    assert "acme 1.2 could not be loaded: its import raised ValueError: no lexicon" in str(caught.value)


def test_observers_are_called_through_the_manager(install: Install) -> None:
    """A plugin without operators that watches runs is a plugin."""
    watch = "from corpusmill import hookimpl\nseen = []\n@hookimpl\ndef corpusmill_run_started(run): seen.append(run)\n"
    install("acme", {"f": "acme_watch"}, acme_watch=watch)
    manager = plugin_manager()
    manager.hook.corpusmill_run_started(run={"name": "x"})
    assert sys.modules["acme_watch"].seen == [{"name": "x"}]


def test_installed_code_is_known_by_its_versions(install: Install) -> None:
    """Distribution, its version, the class's, and those of what it depends on."""
    from importlib.metadata import version

    hook = register("registry.filter('plain', 'acme_versions_target:Plain', 'Keeps.')")
    install("acme", {"f": "acme_versions"}, acme_versions=hook, acme_versions_target=FILTER)
    found = load_registry().lookup("filter.plain")
    expected = f"acme==1.2:3 no-such-distribution==missing pluggy=={version('pluggy')}"
    assert code_identity(found, resolve(found)) == expected


def test_editable_code_is_known_by_its_source(install: Install, tmp_path: Path) -> None:
    """Any change of the source changes the identity, without a new version."""
    hook = register("registry.filter('plain', 'acme_editable_target:Plain', 'Keeps.')")
    direct_url = '{"url": "file:///src", "dir_info": {"editable": true}}'
    install("acme", {"f": "acme_editable"}, "", direct_url, acme_editable=hook, acme_editable_target=FILTER)
    found = load_registry().lookup("filter.plain")
    operator = resolve(found)
    before = code_identity(found, operator)
    assert before.startswith("acme@")
    assert before == code_identity(found, operator)
    (tmp_path / "acme_editable_target.py").write_text(FILTER + "\n# changed\n")
    assert code_identity(found, operator) != before


def test_built_in_code_is_known_by_its_class_version(monkeypatch: pytest.MonkeyPatch) -> None:
    """A new release of corpusmill recomputes nothing unless an operator's version was raised."""
    monkeypatch.delenv("CORPUSMILL_NO_PLUGINS", raising=False)
    found = load_registry().lookup("filter.length")
    operator: Any = resolve(found)
    assert code_identity(found, operator).split()[0] == f"built-in:{operator.version}"


def test_finding_and_registering_import_nothing_heavy() -> None:
    """Seen in sys.modules of a fresh process, built-ins included."""
    program = (
        "import sys\nfrom corpusmill.plugin.finder import load_registry\nassert load_registry().operators\n"
        "heavy = {'pyarrow', 'numpy', 'pydantic', 'ray', 'torch', 'numba', 'rich', 'yaml'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
