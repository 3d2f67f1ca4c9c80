"""Comparison of the note strategies on one case."""
