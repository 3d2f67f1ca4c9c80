"""The cells of a grid: which trainings it takes, which of them the notes cannot serve, and what each costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import yaml

from dermnote.config import build
from dermnote.errors import ConfigError

from ..training.train_config import TrainConfig
from .plan import GridPlan, Recipe

REFERENCE_SIDE = 128  # pixels; the side that `pictures_per_second` of a plan speaks of


@dataclass(frozen=True)
class Cell:
    """One recipe on one partition, for all seeds.

    Attributes:
        partition: Name of the partition.
        recipe: Name of the recipe.
        configs: Training settings by seed.
        queries: Strategies whose notes are searched with; empty for an image-only model.
        against: Name of the recipe it is compared with; empty for none.
    """

    partition: str
    recipe: str
    configs: Mapping[int, TrainConfig]
    queries: tuple[str, ...]
    against: str = ""

    @property
    def name(self) -> str:
        """`PARTITION/RECIPE`, also its folder."""
        return f"{self.partition}/{self.recipe}"

    @property
    def config(self) -> TrainConfig:
        """The settings of its first seed."""
        return next(iter(self.configs.values()))


@dataclass(frozen=True)
class LeftOut:
    """A cell that is not run, and why."""

    name: str
    reason: str


def cells_of(plan: GridPlan) -> list[Cell]:
    """Every cell of a grid, partition by partition.

    Raises:
        ConfigError: The base config or a setting is wrong (the cell is named).
    """
    base = read_base(plan.base)
    return [
        Cell(
            partition,
            name,
            {seed: train_config(base, plan.settings, recipe, seed, f"cells.{name}") for seed in plan.seeds},
            (recipe.queries or recipe.strategies[:1]) if recipe.multimodal else (),
            recipe.against,
        )
        for partition in plan.partitions
        for name, recipe in plan.cells.items()
        if partition in (recipe.partitions or (next(iter(plan.partitions)),))
    ]


def read_base(path: str | Path) -> dict[str, Any]:
    """The values of a training config, to lay changes over."""
    try:
        values = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"The base config {path} cannot be read.", "Ready ones are in train/configs.") from error
    return dict(values or {})


def train_config(
    base: Mapping[str, Any], common: Mapping[str, Any], recipe: Recipe, seed: int, where: str
) -> TrainConfig:
    """The settings of one training: the base, what all cells change, what this one changes, and its seed."""
    own = {"multimodal": recipe.multimodal, "strategies": list(recipe.strategies), "seed": seed, "sources": None}
    values = _laid_over(_laid_over(_laid_over(base, common), recipe.settings), own)
    return build(TrainConfig, values, where)


def _laid_over(values: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Values with changes; groups of settings are changed key by key."""
    merged = dict(values)
    for key, change in changes.items():
        before = merged.get(key)
        merged[key] = (
            _laid_over(before, change) if isinstance(before, Mapping) and isinstance(change, Mapping) else change
        )
    return merged


def chosen(cells: Sequence[Cell], patterns: Sequence[str]) -> list[Cell]:
    """The cells that a pattern names: by partition/recipe, by recipe or by partition; `*` stands for anything.

    Raises:
        ConfigError: A pattern names none.
    """
    if not patterns:
        return list(cells)
    for pattern in patterns:
        if not any(_named(cell, pattern) for cell in cells):
            raise ConfigError(f"No cell is named '{pattern}'.", f"There are: {', '.join(cell.name for cell in cells)}.")
    return [cell for cell in cells if any(_named(cell, pattern) for pattern in patterns)]


def _named(cell: Cell, pattern: str) -> bool:
    return any(fnmatch(name, pattern) for name in (cell.name, cell.recipe, cell.partition))


def pictures_of(config: TrainConfig, learnt: int) -> float:
    """What one training costs, in passes over a picture of 128 x 128: pictures learnt from, epochs, their area."""
    return learnt * config.epochs * (config.training_size / REFERENCE_SIDE) ** 2
