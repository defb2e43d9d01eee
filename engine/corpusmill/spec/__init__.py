"""The spec: YAML with positions, turned into a typed model."""
