"""Compiled text kernels: UTF-8 buffers in, numbers out; each has a plain Python twin in `plain` that tests hold it to."""
