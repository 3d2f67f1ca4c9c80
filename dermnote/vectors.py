"""Vectors as an index takes them, and what is wrong with those it does not."""

from __future__ import annotations

from typing import Any

import numpy as np

from dermnote.errors import IndexQueryError

Vectors = np.ndarray[Any, np.dtype[np.float32]]
Rows = np.ndarray[Any, np.dtype[np.int64]]
UNIT_TOLERANCE = 1e-3


def unit_rows(vectors: Vectors, what: str) -> Vectors:
    """The array as FAISS takes it, known to be (n, d) of unit rows."""
    vectors = np.ascontiguousarray(vectors, dtype=np.float32)
    norms = np.linalg.norm(vectors, axis=-1)
    if vectors.ndim != 2 or not np.all(np.abs(norms - 1) < UNIT_TOLERANCE):  # also false where a norm is NaN
        raise IndexQueryError(f"A {what} vector is not of unit length (NaN, zero or not normalised).")
    return vectors


def check_rows(vectors: Vectors, rows: int, what: str, dim: int | None = None) -> None:
    """Raises `IndexQueryError` if the vectors are not one a case (of `rows`), of width `dim` (None: of any)."""
    if np.ndim(vectors) != 2 or len(vectors) != rows or dim not in (None, np.shape(vectors)[1]):
        wanted = f"({rows}, {dim or 'd'})"
        raise IndexQueryError(f"{rows} cases need a {wanted} array of {what} vectors, not {np.shape(vectors)}.")


def unit_queries(queries: Vectors, dim: int) -> Vectors:
    """(q, dim) float32, unit rows."""
    queries = np.ascontiguousarray(queries, dtype=np.float32)
    if queries.ndim != 2 or queries.shape[1] != dim:
        raise IndexQueryError(f"The query has {queries.shape[-1]} numbers, this index takes {dim}.")
    norms = np.linalg.norm(queries, axis=1, keepdims=True)
    if not np.isfinite(norms).all() or not norms.all():
        raise IndexQueryError("The query vector is not finite, or zero.")
    unit: Vectors = queries / norms
    return unit
