"""What the model's shares are worth: how often it is right where it is so and so sure."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from dermnote.app.model.figure import Figure
from dermnote.app.model.held_out import FEW, HeldOut
from dermnote.app.model.html_tables import Column, folded_table
from dermnote.app.model.line_chart import Axes
from dermnote.app.model.untrusted import count, sequence, share, table
from dermnote.models.prediction import percent

COLUMNS = (Column("Share given, on average"), Column("Right"), Column("Pictures"))
SMALLEST, LARGEST = 2.0, 9.0  # radius of a dot


@dataclass(frozen=True)
class Bin:
    """Pictures whose likeliest class got about the same share.

    Attributes:
        given: That share, on average (0..1).
        right: Share of them that are told right.
        n_pictures: At least one.
    """

    given: float
    right: float
    n_pictures: int


def reliability(held: HeldOut) -> str:
    """Chart, table and calibration error; "" if it was not measured."""
    bins = list(_bins(held))
    if not bins:
        return ""
    axes, most = Axes("share given to the likeliest class", "how often it is right"), max(b.n_pictures for b in bins)
    dots = "".join(axes.dot(b.given, b.right, _radius(b.n_pictures, most)) for b in bins)
    marks = axes.line([(0, 0), (1, 1)], "ideal") + axes.line([(b.given, b.right) for b in bins], "line") + dots
    described = f"Reliability: how often the likeliest class is right, by the share it is given. {_read_aloud(bins)}"
    rows = [[percent(b.given), percent(b.right), f"{b.n_pictures:,}"] for b in bins]
    return (
        f'<section class="dn-card"><h3>What its shares are worth</h3>{axes.draw(marks, described)}<p class="dn-fine">'
        "On the dashed line a share means what it says; below it the model is too sure. Larger dots stand for more "
        f"pictures. {_error(held)}</p>{folded_table('Reliability', COLUMNS, rows)}</section>"
    )


def _bins(held: HeldOut) -> Iterator[Bin]:
    for each in map(table, sequence(held.classification.get("reliability"))):
        given, right, pictures = share(each.get("confidence")), share(each.get("accuracy")), count(each.get("n_cases"))
        if given is not None and right is not None and pictures:
            yield Bin(given, right, pictures)


def _radius(pictures: int, most: int) -> float:
    return SMALLEST + (LARGEST - SMALLEST) * math.sqrt(pictures / most)


def _read_aloud(bins: list[Bin]) -> str:
    enough = [b for b in bins if b.n_pictures >= FEW] or bins
    low, high = enough[0], enough[-1]
    said = f"Where it gives {percent(low.given)} it is right for {percent(low.right)}"
    return said + ("." if low is high else f", where it gives {percent(high.given)}, for {percent(high.right)}.")


def _error(held: HeldOut) -> str:
    after, before = (Figure.named(held.classification, name) for name in ("ece", "ece_uncalibrated"))
    if after.value is None:
        return ""
    said = f"Calibration error {after.value:.3f} (0 is perfect)"
    return said + ("." if before.value is None else f"; {before.value:.3f} before its temperature was set.")
