"""Decoding in order, one batch ahead and no more."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest
import torch
from PIL import Image

from dermnote.images.opening import encode_jpeg
from train.data import image_cache
from train.data.image_cache import Squares, decode_square, square_batches


@pytest.fixture(scope="module")
def jpegs() -> list[bytes]:
    random = np.random.default_rng(0)
    pixels = random.integers(0, 255, (23, 20, 30, 3), dtype=np.uint8)
    return [encode_jpeg(Image.fromarray(each)) for each in pixels]


@pytest.mark.parametrize("cache_bytes", [0, 1e9])
@pytest.mark.parametrize("rows", [None, range(0, 23), range(4, 17), range(20, 23), range(5, 5)])
def test_rows_come_in_order_with_their_numbers(jpegs: list[bytes], cache_bytes: float, rows: range | None) -> None:
    batches = list(Squares(jpegs, 16, cache_bytes).batches(4, rows))
    expected = list(rows if rows is not None else range(23))
    assert [first + at for first, batch in batches for at in range(len(batch))] == expected
    assert all(len(batch) == 4 for _, batch in batches[:-1])
    for first, batch in batches:
        for at, square in enumerate(batch):
            assert torch.equal(square, decode_square(jpegs[first + at], 16))


def test_no_more_than_one_batch_is_decoded_ahead(jpegs: list[bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader that is slower than the decoding threads holds two batches, not the set."""
    started, lock = [0], threading.Lock()

    def counted(jpeg: bytes, size: int) -> torch.Tensor:
        with lock:
            started[0] += 1
        return decode_square(jpeg, size)

    monkeypatch.setattr(image_cache, "decode_square", counted)
    for number, (_, batch) in enumerate(square_batches(jpegs, 16, 4), start=1):
        time.sleep(0.02)  # long enough to decode all that was started
        assert started[0] <= 4 * (number + 1)
        assert len(batch) == min(4, 23 - 4 * (number - 1))
    assert started[0] == 23


def test_no_images_give_no_batches() -> None:
    assert list(square_batches([], 16, 4)) == [] and list(Squares([], 16, 0).batches(4)) == []
