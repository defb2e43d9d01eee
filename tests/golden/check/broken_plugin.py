"""A plugin file that cannot be imported, for the message it causes."""

from __future__ import annotations

raise RuntimeError("the lexicon server is asleep")
