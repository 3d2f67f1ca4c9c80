"""Config of a comparison, and the cells that it expands to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import filter as filter_names
from pathlib import Path
from typing import Any, Literal

import yaml

from dermnote.config import build, unknown_key
from dermnote.errors import ConfigError

from ..runtime.console import apply_overrides
from ..training.train_config import TrainConfig

# Columns of the paper's tables (arXiv 2511.21827), by the name of the cell shown there.
PAPER_COLUMNS = {"image-only": "Img", "m": "M", "m+p1": "M+P1", "m+p2": "M+P2", "p3": "P3", "mix": "mix"}
IMAGE_ONLY = "image-only"
REFERENCE_SIDE = 128  # pixels; image side that `pictures_per_second` refers to


@dataclass(frozen=True)
class CaseFilter:
    """Restrictions on the cases; the defaults restrict nothing."""

    sources: tuple[str, ...] | None = None  # only these
    without: tuple[str, ...] = ()  # sources to exclude; unknown names are ignored
    modality: Literal["dermoscopy", "clinical"] | None = None
    noted: bool = False  # only cases with a query note


@dataclass(frozen=True)
class Partition:
    """Training and test cases; a patient or lesion on both sides stays on the side `lesions_in_both`."""

    title: str = ""  # in tables; empty for the partition's name
    train_on: CaseFilter = field(default_factory=CaseFilter)  # of the training and validation splits
    test_on: CaseFilter = field(default_factory=CaseFilter)  # of the splits named by `test_splits`
    test_splits: Literal["held-out", "all"] = "held-out"  # test and external; or all, as one external set
    lesions_in_both: Literal["train", "test"] = "train"


@dataclass(frozen=True)
class Recipe:
    """Training of a model."""

    multimodal: bool = True  # False: images alone
    strategies: tuple[str, ...] = ("m",)  # note strategies to train on
    partitions: tuple[str, ...] = ()  # to run on; empty for the first
    queries: tuple[str, ...] = ()  # strategies of the query notes; empty for the first of `strategies`
    against: str = ""  # recipe to compute paired differences against
    about: str = ""  # description in tables
    settings: Mapping[str, Any] = field(default_factory=dict)  # changes to the plan's settings


@dataclass(frozen=True)
class Plan:
    """Settings of every comparison."""

    base: str = ""  # training config that all cells start from; a relative path starts at the plan's folder
    settings: Mapping[str, Any] = field(default_factory=dict)  # changes to it
    seeds: tuple[int, ...] = (0, 1, 2)  # of training
    minimum: tuple[str, ...] = ()  # cells that --minimum runs
    pictures_per_second: float = 100.0  # training speed at 128 x 128 pixels until a cell has been timed


@dataclass(frozen=True)
class GridPlan(Plan):
    """Grid of recipes and partitions on one set of cases."""

    cases: str = "cases"  # folder written by train.prepare, or a Hub dataset
    notes: str = "notes.jsonl"  # to train on
    query_notes: str | None = None  # notes of some cases only (see `train.comparison.grid`)
    partitions: Mapping[str, Partition] = field(default_factory=lambda: {"internal": Partition()})
    cells: Mapping[str, Recipe] = field(default_factory=dict)  # those in `PAPER_COLUMNS` are in the paper's tables
    least_noted: float = 0.5  # cells with a smaller share of noted training cases are left out


@dataclass(frozen=True)
class StudyPlan(Plan):
    """Hallucination study (see `train.comparison.hallucination`)."""

    kinds: tuple[Literal["m+p1", "m+p2", "p3"], ...] = ("m+p1", "m+p2", "p3")  # strategies of the stand-in writer
    rates: tuple[float, ...] = (0.0, 0.1, 0.2, 0.4, 0.8)  # shares of wrong attributes; the first is the reference
    drawn: int = 1000  # lesions to train and validate on, before splitting
    held_out: int = 400  # lesions to test on


@dataclass(frozen=True)
class Cell:
    """One recipe on one partition, for all seeds."""

    partition: str
    recipe: str
    configs: Mapping[int, TrainConfig]  # by seed
    queries: tuple[str, ...]  # sets of query notes; empty for an image-only model
    against: str = ""  # recipe to compute differences against

    @property
    def name(self) -> str:
        """`PARTITION/RECIPE`, also its folder."""
        return f"{self.partition}/{self.recipe}"

    @property
    def config(self) -> TrainConfig:
        """Settings of the first seed."""
        return next(iter(self.configs.values()))


def load_plan(path: str | Path, overrides: Sequence[str] = ()) -> GridPlan | StudyPlan:
    """Read the config file of a comparison.

    Args:
        path: A YAML file; `kind: hallucination` selects the study, else it is a grid.
        overrides: `key=value` changes of the training settings of all cells.

    Raises:
        ConfigError: The file is missing or not YAML, a key is unknown, or a value is wrong.
    """
    where, values = str(path), _read_yaml(path, "config")
    kind = values.pop("kind", "grid")
    if kind not in ("grid", "hallucination"):
        raise ConfigError(f"'kind' in {where} must be grid or hallucination, not {kind!r}.")
    if "base" not in values:
        raise ConfigError(f"{where} names no base.", "Name a training config, such as base: starter.yaml.")
    values["base"] = str(Path(path).parent / str(values["base"]))
    plan = build(GridPlan, values, where) if kind == "grid" else build(StudyPlan, values, where)
    plan = replace(plan, settings=apply_overrides(dict(plan.settings), list(overrides)))
    if not plan.seeds or len(set(plan.seeds)) < len(plan.seeds):
        raise ConfigError(f"'seeds' in {where} must be a list of different numbers, not {list(plan.seeds)}.")
    if isinstance(plan, GridPlan):
        _check_grid(plan, where)
    elif len(set(plan.rates)) < max(2, len(plan.rates)) or any(not 0 <= rate <= 1 for rate in plan.rates):
        raise ConfigError(f"'rates' in {where} must be two or more different numbers between 0 and 1.")
    return plan


def _check_grid(plan: GridPlan, where: str) -> None:
    if not plan.cells or not plan.partitions:
        raise ConfigError(f"{where} names no cells or no partitions.", "Name at least one of each.")
    for name, recipe in plan.cells.items():
        against = (recipe.against,) if recipe.against else ()
        for key, names, known in (("partitions", recipe.partitions, plan.partitions), ("against", against, plan.cells)):
            for each in names:
                if each not in known:
                    raise unknown_key(each, known, f"cells.{name}.{key} in {where}")
    if not 0 <= plan.least_noted <= 1:
        raise ConfigError(f"'least_noted' in {where} must be between 0 and 1, not {plan.least_noted}.")


def expand_grid(plan: GridPlan) -> list[Cell]:
    """Return every cell of a grid, partition by partition.

    Raises:
        ConfigError: The base config or a setting is wrong (the cell is named).
    """
    cells = []
    for partition in plan.partitions:
        for name, recipe in plan.cells.items():
            if partition in (recipe.partitions or (next(iter(plan.partitions)),)):
                queries = (recipe.queries or recipe.strategies[:1]) if recipe.multimodal else ()
                configs = train_configs(plan, recipe, f"cells.{name}")
                cells.append(Cell(partition, name, configs, queries, recipe.against))
    return cells


def train_configs(plan: Plan, recipe: Recipe, where: str) -> dict[int, TrainConfig]:
    """Return the training settings by seed: the base config, the plan's changes, then the recipe's."""
    values = _merge(_merge(_read_yaml(plan.base, "base config"), plan.settings), recipe.settings)
    values |= {"multimodal": recipe.multimodal, "strategies": list(recipe.strategies), "sources": None}
    return {seed: build(TrainConfig, {**values, "seed": seed}, where) for seed in plan.seeds}


def select_cells(cells: Sequence[Cell], patterns: Sequence[str]) -> list[Cell]:
    """Return the cells that match a pattern by partition/recipe, recipe or partition; `*` is a wildcard.

    Raises:
        ConfigError: A pattern matches no cell.
    """

    names = {cell.name: (cell.name, cell.recipe, cell.partition) for cell in cells}
    found = {each: {name for name, keys in names.items() if filter_names(keys, each)} for each in patterns}
    for each, matching in found.items():
        if not matching:
            raise ConfigError(f"No cell is named '{each}'.", f"There are: {', '.join(names)}.")
    return [cell for cell in cells if not patterns or any(cell.name in matching for matching in found.values())]


def training_cost(config: TrainConfig, n_train: int) -> float:
    """Return the cost of one training in images of 128 x 128 pixels: training cases x epochs x relative area."""
    return n_train * config.epochs * (config.training_size / REFERENCE_SIDE) ** 2


def _read_yaml(path: str | Path, name: str) -> dict[str, Any]:
    try:
        values = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"The {name} {path} cannot be read.", "Ready ones are in train/configs.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not valid YAML ({str(error).splitlines()[0]}).") from error
    if not isinstance(values or {}, dict):
        raise ConfigError(f"{path} is not a group of names and values.")
    return dict(values or {})


def _merge(values: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Merge settings; nested groups are merged key by key."""
    merged = dict(values)
    for key, change in changes.items():
        nested = isinstance(merged.get(key), Mapping) and isinstance(change, Mapping)
        merged[key] = _merge(merged[key], change) if nested else change
    return merged
