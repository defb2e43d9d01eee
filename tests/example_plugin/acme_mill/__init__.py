"""Operators for corpusmill by somebody else; each module is a plugin of its own and works as a single file, too."""
