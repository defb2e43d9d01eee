"""Tokenizers and packers."""
