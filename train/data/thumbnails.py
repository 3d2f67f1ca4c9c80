"""Thumbnails of published images: made on all cores of all processes, kept in a file until they are published."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
import torch.distributed as dist
from PIL import Image
from tqdm.auto import tqdm

from dermnote.cores import available_cores
from dermnote.images.opening import decode_jpeg, encode_jpeg

from ..runtime.distributed import failing_together, rank, world_size
from .image_column import SCHEMA, JpegColumn

SIDE = 128  # pixels of the long side
QUALITY = 85
CHUNK = 1024  # images of a process between two exchanges, about 3 MB of thumbnails


def thumbnail(jpeg: bytes) -> bytes:
    """Return a stored image as JPEG with a long side of at most 128 px, without metadata."""
    image = decode_jpeg(jpeg, SIDE)
    image.thumbnail((SIDE, SIDE), Image.Resampling.BILINEAR)
    return encode_jpeg(image, QUALITY)


def make_thumbnails(images: Sequence[bytes], scratch: Path | None) -> JpegColumn | None:
    """Return the thumbnails of JPEGs in order, mapped from a file; None in every process but the main one.

    All processes of a launch call it together; the main one writes the file `scratch`, None in the others.
    """
    writer = None if scratch is None else pa.ipc.new_file(str(scratch), SCHEMA)
    bar = tqdm(total=len(images), desc="thumbnails", unit="img", leave=False, disable=writer is None)
    with ThreadPoolExecutor(available_cores()) as pool, bar:
        for first in range(0, len(images), CHUNK * world_size()):
            start = first + CHUNK * rank()
            with failing_together(shard=True):
                mine = list(pool.map(thumbnail, images[start : start + CHUNK]))
            for part in _to_main(mine):
                if writer is not None and part:
                    writer.write_batch(pa.record_batch([pa.array(part, pa.binary())], schema=SCHEMA))
                    bar.update(len(part))
    if writer is None or scratch is None:
        return None
    writer.close()
    return JpegColumn.mapped([scratch])


def _to_main(mine: list[bytes]) -> list[list[bytes]]:
    """Gather the thumbnails of each process, by rank; an empty list in every process but the main one."""
    if world_size() == 1:
        return [mine]
    parts: list[list[bytes]] = [[] for _ in range(world_size())]
    dist.gather_object(mine, parts if rank() == 0 else None, dst=0)
    return parts if rank() == 0 else []
