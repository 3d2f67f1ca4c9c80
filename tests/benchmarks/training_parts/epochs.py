"""Table (e): the cost of an epoch on paper, from the rates measured in the same run."""

from __future__ import annotations

from collections.abc import Sequence

from tests.benchmarks.training_parts.figures import Figure, Table
from tests.benchmarks.training_parts.projection import SIZES, epoch_cost
from tests.benchmarks.training_parts.setting import Setting
from train.training.training_data import training_side


def epochs(setting: Setting, tables: Sequence[Table]) -> Table:
    """An epoch of each size at each of our rates that the tables hold."""
    rates = [each for table in tables for each in table.figures if _is_our_rate(each)]
    stored = [len(jpeg) for jpeg in setting.material.cases.images]
    side, jpeg_bytes = training_side(setting.config()), sum(stored) / len(stored)
    table = Table("An epoch on paper (pictures / rate; validation and checkpoints left out)")
    for rate in rates:
        costs = [epoch_cost(pictures, rate.value or 0.0, side, jpeg_bytes) for pictures in SIZES]
        table.figures += [
            Figure(f"{cost.pictures:,} pictures: {rate.name}", cost.seconds / 60, "min") for cost in costs
        ]
    for pictures in SIZES:
        cost = epoch_cost(pictures, 1.0, side, jpeg_bytes)
        table.figures += [
            Figure(f"{pictures:,} pictures, JPEG on disk", cost.stored / 1e9, "GB"),
            Figure(f"{pictures:,} pictures, decoded at {side} px", cost.decoded / 1e9, "GB"),
        ]
    return table


def _is_our_rate(figure: Figure) -> bool:
    return figure.unit == "pictures/s" and figure.name.startswith("ours, ") and bool(figure.value)
