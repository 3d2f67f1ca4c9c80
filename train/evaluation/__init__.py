"""Embeddings, measurements and report files of `train.evaluate`."""
