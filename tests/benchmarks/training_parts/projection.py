"""What an epoch of so many pictures costs, from measured rates."""

from __future__ import annotations

from dataclasses import dataclass

SIZES = (10_000, 100_000, 1_000_000)


@dataclass(frozen=True)
class EpochCost:
    """On paper.

    Attributes:
        pictures: In the epoch.
        seconds: Of training.
        stored: Bytes of JPEG that are read.
        decoded: Bytes the decoded squares would take.
    """

    pictures: int
    seconds: float
    stored: float
    decoded: int


def epoch_cost(pictures: int, rate: float, side: int, jpeg_bytes: float) -> EpochCost:
    """Reckons an epoch.

    Args:
        pictures: In the epoch.
        rate: Pictures a second, end to end; all else (validation, checkpoints) is left out.
        side: Of a decoded square in pixels.
        jpeg_bytes: Of a stored picture, on average.
    """
    return EpochCost(pictures, pictures / rate, pictures * jpeg_bytes, pictures * 3 * side * side)
