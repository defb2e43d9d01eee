"""Compiled text kernels."""
