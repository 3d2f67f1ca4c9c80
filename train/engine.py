"""The loop: one epoch of training, and embedding whole sets."""

from __future__ import annotations

from train.embed import Embeddings as Embeddings
from train.embed import embed_cases as embed_cases
