"""Embedding, measuring and reporting: what `train.evaluate` is made of."""
