"""Measures of a model, as pure functions of arrays."""
