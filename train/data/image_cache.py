"""Square image tensors: decoded on several threads, kept in memory when they fit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import zip_longest

import numpy as np
import torch
from torch import Tensor
from tqdm.auto import tqdm

from dermnote.cores import available_cores
from dermnote.images.opening import decode_jpeg, to_square


def decode_square(jpeg: bytes, size: int) -> Tensor:
    """Return a stored image as (3, size, size) bytes, in the evaluation geometry."""
    square = np.array(to_square(decode_jpeg(jpeg, size), size))  # (size, size, 3)
    return torch.from_numpy(square).permute(2, 0, 1).contiguous()


class Squares(Sequence[Tensor]):
    """Images (JPEG bytes) as square tensors of `size` pixels a side.

    They are decoded once and kept if together they take no more than `cache_bytes`; otherwise at each access.
    """

    def __init__(self, images: Sequence[bytes], size: int, cache_bytes: float, title: str = "images") -> None:
        self._images, self.size = images, size
        self._kept: Tensor | None = None
        if len(images) * 3 * size * size <= cache_bytes:
            self._kept = torch.empty(len(images), 3, size, size, dtype=torch.uint8)
            bar = tqdm(total=len(images), desc=f"reading {title}", unit="img", leave=False)
            for first, batch in square_batches(images, size, 256):
                self._kept[first : first + len(batch)] = batch
                bar.update(len(batch))
            bar.close()

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, index: int) -> Tensor:  # type: ignore[override]
        return decode_square(self._images[index], self.size) if self._kept is None else self._kept[index]

    def batches(self, batch_size: int, rows: range | None = None) -> Iterator[tuple[int, Tensor]]:
        """Yield the squares of all rows or of `rows` in order: (row of the first, (B, 3, size, size) bytes)."""
        start, stop = (rows.start, rows.stop) if rows is not None else (0, len(self))
        if self._kept is None:
            for first, batch in square_batches(self._images[start:stop], self.size, batch_size):
                yield start + first, batch
            return
        for first in range(start, stop, batch_size):
            yield first, self._kept[first : min(first + batch_size, stop)]


def square_batches(images: Sequence[bytes], size: int, batch_size: int) -> Iterator[tuple[int, Tensor]]:
    """Decode batches in order: (row of the first, (B, 3, size, size) bytes).

    At most one batch ahead of the reader: memory holds two batches, however many images there are.
    """
    starts = list(range(0, len(images), batch_size))
    with ThreadPoolExecutor(available_cores()) as pool:

        def begin(first: int) -> list[Future[Tensor]]:
            rows = range(first, min(first + batch_size, len(images)))
            return [pool.submit(decode_square, images[row], size) for row in rows]

        ahead = begin(starts[0]) if starts else []
        for first, following in zip_longest(starts, starts[1:]):
            current, ahead = ahead, begin(following) if following is not None else []
            batch = torch.stack([each.result() for each in current])
            current.clear()  # so that memory does not hold each square twice while the reader works on the batch
            yield first, batch
