"""Procedural dermoscopy-like images with known attributes."""
