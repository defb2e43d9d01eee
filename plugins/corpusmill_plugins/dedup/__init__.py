"""Deduplicators."""
