"""Procedural dermoscopy-like pictures in which every drawn attribute is known."""
