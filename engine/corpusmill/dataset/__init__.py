"""Datasets on disk: schema, canonical form, parts, selections, manifests, the store."""
