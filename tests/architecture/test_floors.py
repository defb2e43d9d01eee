"""Who may import whom: the floors of the engine, the face for plugins, heavy libraries only inside functions."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import corpusmill

HEAVY = {"torch", "transformers", "peft", "accelerate", "datasets", "pandas", "trafilatura"}


def sources(root: Path) -> list[Path]:
    found = sorted(root.rglob("*.py"))
    assert found, f"no sources under {root}"
    return found


def imports(tree: ast.AST) -> Iterator[tuple[str, list[str], int]]:
    """Yield module, imported names ([] for a plain import) and line of every import below a node."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, [], node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or "", [alias.name for alias in node.names], node.lineno


def run_at_import(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield the statements that importing a module executes, without those for type checkers."""
    for statement in body:
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if isinstance(statement, ast.If) and "TYPE_CHECKING" in ast.unparse(statement.test):
            yield from run_at_import(statement.orelse)
            continue
        blocks = [value for _, value in ast.iter_fields(statement) if isinstance(value, list)]
        inner = [child for block in blocks for child in block if isinstance(child, ast.stmt)]
        handlers = [child.body for block in blocks for child in block if isinstance(child, ast.ExceptHandler)]
        if inner or handlers:
            yield from run_at_import([*inner, *(child for body in handlers for child in body)])
        else:
            yield statement


def test_imports_go_down_only(repository: Path) -> None:
    """The contracts in pyproject.toml hold: floors, no plugin in the engine, independent families."""
    program = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))"
    result = subprocess.run([sys.executable, "-c", program], cwd=repository, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr


def test_every_family_is_held_independent(repository: Path) -> None:
    """A new folder of plugins needs its place in the contract, and an entry point."""
    import tomllib

    config = tomllib.loads((repository / "pyproject.toml").read_text())
    folders = {path.parent.name for path in (repository / "plugins/corpusmill_plugins").glob("*/register.py")}
    contract = next(one for one in config["tool"]["importlinter"]["contracts"] if one["id"] == "families")
    assert set(contract["layers"][0].split(" | ")) == folders
    assert set(config["project"]["entry-points"]["corpusmill"]) == folders


def test_plugins_import_only_the_face(repository: Path) -> None:
    """Built-ins live on what every plugin author has: `from corpusmill import name`, name being public."""
    wrong = [
        f"{path.relative_to(repository)}:{line}: {module} {names}"
        for path in sources(repository / "plugins")
        for module, names, line in imports(ast.parse(path.read_text(encoding="utf-8")))
        if module.startswith("corpusmill.") or (module == "corpusmill" and not set(names) <= set(corpusmill.__all__))
    ]
    assert not wrong, "\n".join(wrong)


def test_the_engine_never_names_the_built_ins(repository: Path) -> None:
    """Not even in a string: what the engine knows of plugins it learns from entry points."""
    naming = [
        f"{path.relative_to(repository)}:{number}"
        for path in sources(repository / "engine")
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if "corpusmill_plugins" in line
    ]
    assert not naming


def beside_ray(repository: Path) -> list[Path]:
    """All sources but runner/ray*.py."""
    every = [*sources(repository / "engine"), *sources(repository / "plugins")]
    return [path for path in every if path not in (repository / "engine/corpusmill/runner").glob("ray*.py")]


def test_only_the_ray_executor_imports_ray(repository: Path) -> None:
    """Everything else speaks to the executor seam, so that another substrate is one more file."""
    wrong = [
        f"{path.relative_to(repository)}:{line}"
        for path in beside_ray(repository)
        for module, _, line in imports(ast.parse(path.read_text(encoding="utf-8")))
        if module.partition(".")[0] == "ray"
    ]
    assert not wrong


def test_the_ray_executor_is_imported_when_it_is_chosen(repository: Path) -> None:
    """runner/ray*.py may import Ray at its top because nobody imports it at theirs."""
    wrong = [
        f"{path.relative_to(repository)}:{line}: {module}"
        for path in beside_ray(repository)
        for statement in run_at_import(ast.parse(path.read_text(encoding="utf-8")).body)
        if isinstance(statement, ast.Import | ast.ImportFrom)
        for module, names, line in imports(statement)
        if any(f"{module}.{name}".startswith("corpusmill.runner.ray") for name in [*names, ""])
    ]
    assert not wrong


@pytest.mark.parametrize("root", ["engine", "plugins"])
def test_heavy_libraries_are_imported_inside_functions(repository: Path, root: str) -> None:
    """Importing any module of ours must not load torch or its like."""
    wrong = [
        f"{path.relative_to(repository)}:{line}: {module}"
        for path in sources(repository / root)
        for statement in run_at_import(ast.parse(path.read_text(encoding="utf-8")).body)
        if isinstance(statement, ast.Import | ast.ImportFrom)
        for module, _, line in imports(statement)
        if module.partition(".")[0] in HEAVY
    ]
    assert not wrong, "\n".join(wrong)


def test_the_scan_sees_what_importing_runs() -> None:
    """The check above is not blind: it looks into classes, conditions and handlers, and skips functions and types."""
    source = """
import first
if TYPE_CHECKING:
    import typed
try:
    import second
except ImportError:
    import third
class Thing:
    import fourth
    def method(self):
        import late
"""
    found = {name for statement in run_at_import(ast.parse(source).body) for name, _, _ in imports(statement)}
    assert found == {"first", "second", "third", "fourth"}
