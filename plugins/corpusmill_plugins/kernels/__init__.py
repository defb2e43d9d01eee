"""Compiled text kernels: UTF-8 buffers in, numbers out; each is held to a plain Python twin."""
