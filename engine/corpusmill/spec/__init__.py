"""The spec: YAML with positions, turned into a typed model."""

from __future__ import annotations

from corpusmill.spec.loading import load
from corpusmill.spec.model import Limits, PluginName, Ref, RunSettings, Spec, Step
from corpusmill.spec.problems import Mark, Problem, Problems

__all__ = ["Limits", "Mark", "PluginName", "Problem", "Problems", "Ref", "RunSettings", "Spec", "Step", "load"]
