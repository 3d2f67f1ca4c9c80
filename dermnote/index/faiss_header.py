"""What a FAISS file says of itself in its first bytes, read before FAISS is given the file."""

from __future__ import annotations

import struct
from pathlib import Path

from dermnote.errors import BundleError

HEADER = struct.Struct("<4siq16xBi")  # kind, width, vectors, (16 unused bytes), trained, metric
FLAT, IVF = b"IxFI", b"IwFl"  # exact by inner product; inverted lists of plain vectors
REBUILD = "Make the bundle again with `python -m train.build_index`."


def checked_kind(path: Path, dim: int) -> bytes:
    """The kind of index a file holds, by its header.

    FAISS dies without a word of a file that breaks off in its header, when it is to map it; so it gets none such.

    Args:
        path: The file.
        dim: Width its vectors must have.

    Returns:
        `FLAT` or `IVF`.

    Raises:
        BundleError: Missing, damaged, of another kind or width, or shorter than its vectors.
    """
    try:
        with path.open("rb") as file:
            kind, width, count, _, _ = HEADER.unpack(file.read(HEADER.size))
        size = path.stat().st_size
    except (OSError, struct.error) as error:
        raise BundleError(f"{path} is missing or damaged.", REBUILD) from error
    if kind not in (FLAT, IVF) or not 0 < width < 1 << 20 or count < 0:
        raise BundleError(f"{path} is damaged, or not an index DermNote knows.", REBUILD)
    if width != dim:
        raise BundleError(f"{path} is not a cosine index of width {dim}.", REBUILD)
    if size < HEADER.size + 8 + 4 * count * width:
        raise BundleError(f"{path} is missing or damaged.", REBUILD)
    return bytes(kind)
