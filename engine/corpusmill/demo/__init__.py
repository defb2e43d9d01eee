"""The demonstration: a pipeline run while its processes are killed, and the proof that nothing came of it."""
