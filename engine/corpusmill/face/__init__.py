"""The Python face: run a spec, open what a run made, apply one operator, for notebooks and scripts."""
