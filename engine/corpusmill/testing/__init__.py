"""The contract kit for plugin authors: hold an operator against what the engine relies on, and say what is wrong."""

from __future__ import annotations

from corpusmill.testing.checking import CLAIMS, check_operator
from corpusmill.testing.contract import OperatorContract
from corpusmill.testing.fakes import FakeArtifact, FakeDocuments, FakeTokens, FakeWork
from corpusmill.testing.findings import Finding, Report
from corpusmill.testing.samples import Samples, shared_samples

__all__ = [
    "CLAIMS",
    "FakeArtifact",
    "FakeDocuments",
    "FakeTokens",
    "FakeWork",
    "Finding",
    "OperatorContract",
    "Report",
    "Samples",
    "check_operator",
    "shared_samples",
]
