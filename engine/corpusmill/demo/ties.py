"""What ties a pipeline to places that two runs cannot share: other runs, strangers' clusters, exports elsewhere."""

from __future__ import annotations

from pathlib import Path

from corpusmill.errors import UsageError
from corpusmill.plan.checked import CheckedSpec


def refuse_ties(checked: CheckedSpec) -> None:
    """Both runs start from empty stores, so nothing can come from another run; and only our own cluster is shot at."""
    refs = [ref.text for step in checked.steps for bound in step.inputs.values() for ref in bound if not ref.local]
    if refs:
        raise UsageError(
            f"the pipeline takes {refs[0]!r} from a store",
            expected="a pipeline that starts from files: both runs begin with empty stores",
            hint="corpusmill demo --chaos, without SPEC, takes the quickstart",
        )
    if checked.spec.run.address:
        raise UsageError(
            f"the pipeline runs on the cluster at {checked.spec.run.address!r}",
            expected="a pipeline without `run: {address: …}`: only processes of its own are killed",
            hint="take `address` out of `run` (a profile is the place for it)",
        )


def moved_exports(checked: CheckedSpec) -> tuple[str, ...]:
    """Exports that would leave the run's folder stay in it: two runs must not publish into one place."""
    writers = [step for step in checked.steps if step.kind == "write"]
    return tuple(
        f"{step.id}.path=out/{step.id}"
        for step in writers
        if "://" in (path := str(getattr(step.options, "path", "")))
        or Path(path).is_absolute()
        or ".." in Path(path).parts
    )
