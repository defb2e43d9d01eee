"""Trackers: runs told to other systems, while they run."""
