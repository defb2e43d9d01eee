"""What is known about a step while the check works: operator, options, outputs, columns, labels."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from corpusmill.plugin.operator import Operator
from corpusmill.plugin.option import Options
from corpusmill.spec.model import Ref, Step

if TYPE_CHECKING:
    import pyarrow as pa

    from corpusmill.plugin.registry import Registered


@dataclass
class Columns:
    """Columns of documents. `open`: there may be more; `guessed`: their types are not known for sure."""

    types: dict[str, pa.DataType] = field(default_factory=dict)
    guessed: frozenset[str] = frozenset()
    open: bool = False


@dataclass
class Facts:
    """One step. `operator` is None where the step itself is wrong: then nothing is said about what it makes."""

    step: Step
    registered: Registered | None = None
    operator: type[Operator] | None = None
    options: Options | None = None
    instance: Operator | None = None
    inputs: dict[str, tuple[Ref, ...]] = field(default_factory=dict)
    columns: Columns | None = None
    """Of the default output, where it is documents and can be known."""
    input_columns: Columns | None = None
    """Of the documents it takes; its output `removed` has them too."""
    splits: tuple[str, ...] | None = None

    @property
    def id(self) -> str:
        """The step's id."""
        return self.step.id

    def artifact(self, output: str | None) -> str | None:
        """Kind of an output (None = the default one); None where it is not known or not there."""
        if self.operator is None:
            return None
        return self.operator.output if output is None else self.operator.outputs.get(output)

    def offers(self, artifact: str) -> list[str]:
        """References to this step's outputs of one kind: `bert`, `bert.tokenizer`."""
        if self.operator is None:
            return []
        named = [f"{self.id}.{name}" for name, kind in self.operator.outputs.items() if kind == artifact]
        return ([self.id] if self.operator.output == artifact else []) + named
