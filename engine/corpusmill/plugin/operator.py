"""The base of all operators: options, ports, declared columns, identity."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, cast

from corpusmill.plugin.option import Options
from corpusmill.plugin.ports import Documents, Port

if TYPE_CHECKING:
    import pyarrow as pa
    from pydantic import BaseModel


@dataclass(frozen=True)
class Context:
    """What the engine tells an operator when it builds it.

    `step`: the step's id, the salt of everything random. `seed`: the spec's seed. `column`: the text column.
    `base`: the folder that relative paths in options start from (the spec's own). `inputs`: handles of the ports
    beside documents, by port name; empty while a spec is checked. `device`: `cpu` or `cuda`.
    """

    step: str = "step"
    seed: int = 0
    column: str = "text"
    base: str = "."
    inputs: dict[str, Any] = field(default_factory=dict)
    device: str = "cpu"


class Operator:
    """One class of one kind: what a step `uses`.

    Subclass a kind (`Filter`, `Cleaner`, …), not this. An operator is built once per worker, gets its checked
    `options` and must not keep state between batches: the same row gives the same result in any batch.
    """

    kind: ClassVar[str] = ""
    output: ClassVar[str] = "documents"
    """Artifact kind of the default output: documents, tokens, tokenizer, model, metrics or files."""
    outputs: ClassVar[dict[str, str]] = {}
    """Further outputs by name -> artifact kind."""
    version: ClassVar[int] = 1
    """Raise it when the same options and input give other output."""
    depends: ClassVar[tuple[str, ...]] = ()
    """Distributions whose version is part of the result (`("resiliparse",)`)."""
    inputs: ClassVar[dict[str, type[Port] | Port]] = {"documents": Documents}
    exact: ClassVar[bool] = True
    """False for floating-point models: the engine then cuts their batches at fixed row positions."""
    expensive: ClassVar[bool] = False
    """True where the result is worth storing: a dataset is written after this step."""
    uses_seed: ClassVar[bool] = False
    """True where the result depends on the spec's seed; only then it enters the fingerprint."""
    resources: ClassVar[dict[str, Any]] = {}
    """Defaults for the step's `resources`: cpus, gpus, memory (bytes), actors."""

    Options = Options

    def __init__(self, options: BaseModel | None = None, context: Context | None = None):
        self.options: Any = options if options is not None else self.Options()
        self.context = context if context is not None else Context()

    @property
    def column(self) -> str:
        """The text column this step works on."""
        return self.context.column

    @property
    def seed(self) -> int:
        """The spec's seed; set `uses_seed = True` to use it."""
        return self.context.seed

    def reads(self) -> tuple[str, ...]:
        """Columns this operator needs beside `id`; checked against what the steps before make."""
        return (self.column,)

    def adds(self) -> dict[str, pa.DataType]:
        """Columns this operator makes -> Arrow type; a column that exists is replaced."""
        return {}

    def drops(self) -> tuple[str, ...]:
        """Columns of the input that the output no longer has."""
        return ()

    def files(self) -> tuple[str, ...]:
        """Option values that are input files (lexicons, lists); their content enters the fingerprint."""
        return ()

    def setup(self) -> None:
        """Load what is heavy (models, compiled kernels); called once in the process that will do the work."""

    @classmethod
    def ports(cls) -> dict[str, Port]:
        """The declared inputs, each as an instance."""
        return {name: port() if isinstance(port, type) else port for name, port in cls.inputs.items()}

    def texts(self, batch: pa.RecordBatch) -> pa.LargeStringArray:
        """The text column of a batch as large_string."""
        return cast("pa.LargeStringArray", batch.column(self.column))


class RowOperator(Operator):
    """An operator of a pass: rows in, rows out, batch by batch, no memory between batches."""

    @classmethod
    def needs_model(cls) -> bool:
        """True if it takes a port beside documents; the engine then runs it in a pool of actors."""
        return any(port.artifact != "documents" for port in cls.ports().values())


class GlobalOperator(Operator):
    """An operator that sees whole inputs: trainers, tokenizers, evaluators."""

    inputs: ClassVar[dict[str, type[Port] | Port]] = {}

    def reads(self) -> tuple[str, ...]:
        """Nothing unless a subclass says so."""
        return ()

    def run(self, inputs: Any, work: Any) -> dict[str, Any]:
        """Do the work: read from `inputs.<port>`, leave files in `work.output`, return a JSON-able summary.

        `inputs` has one attribute a port (a handle, a list of handles for `many`, None where not bound);
        `work` is a `corpusmill.plugin.work.Work`.
        """
        raise NotImplementedError
