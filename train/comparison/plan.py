"""What a comparison's config file asks for, read and checked before anything is trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, TypeVar

import yaml

from dermnote.errors import ConfigError
from dermnote.settings import build, unknown_key

from ..runtime.console import apply_overrides

# Columns of the paper's tables (arXiv 2511.21827), by the name a cell must have to stand in them.
PAPER_COLUMNS = {"image-only": "Img", "m": "M", "m+p1": "M+P1", "m+p2": "M+P2", "p3": "P3", "mix": "mix"}
IMAGE_ONLY = "image-only"
T = TypeVar("T")


@dataclass(frozen=True)
class Where:
    """A part of the cases; what is left at its default restricts nothing.

    Attributes:
        sources: Only these.
        without: All but these; a name that the cases do not have is passed over.
        modality: Only dermoscopic or only clinical pictures.
        noted: Only cases that the query notes speak of.
    """

    sources: tuple[str, ...] | None = None
    without: tuple[str, ...] = ()
    modality: Literal["dermoscopy", "clinical"] | None = None
    noted: bool = False


@dataclass(frozen=True)
class Partition:
    """What is learnt from and what is tested on.

    Attributes:
        title: For a reader; empty takes the partition's name.
        train_on: Of the training and validation splits.
        test_on: Of the splits that `test_splits` names.
        test_splits: "held-out": test and external as they are. "all": whatever fits `test_on`, as an external set.
        lesions_in_both: Whose a patient or lesion is that both sides hold (one lesion, two modalities): it leaves the
            other side.
    """

    title: str = ""
    train_on: Where = field(default_factory=Where)
    test_on: Where = field(default_factory=Where)
    test_splits: Literal["held-out", "all"] = "held-out"
    lesions_in_both: Literal["train", "test"] = "train"


@dataclass(frozen=True)
class Recipe:
    """How a model is trained.

    Attributes:
        multimodal: Whether it learns from notes.
        strategies: Whose notes.
        partitions: Names of the partitions it is run on.
        queries: Strategies whose notes are searched with; empty takes the first of `strategies`.
        against: The recipe it is compared with, case by case; empty for none.
        about: What is special about it, for a reader.
        settings: Changes to the common training settings.
    """

    multimodal: bool = True
    strategies: tuple[str, ...] = ("m",)
    partitions: tuple[str, ...] = ()
    queries: tuple[str, ...] = ()
    against: str = ""
    about: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class GridPlan:
    """A grid of cells: recipes on partitions of one set of cases, each with the same seeds.

    Attributes:
        cases: Folder that train.prepare wrote.
        notes: notes.jsonl to learn from.
        query_notes: Notes of some cases only, to search with (see `train.comparison.query_notes`).
        base: Training config that all cells start from; a relative path starts at the plan's own folder.
        settings: Changes to it for all cells.
        seeds: Of the training runs.
        partitions: By name.
        cells: Recipes by name; those of `PAPER_COLUMNS` stand in the paper's tables.
        minimum: Cells that `--minimum` runs.
        least_noted: Share of training cases that must have a note, or the cell is left out.
        pictures_per_second: Training speed to reckon with before a cell has been timed.
    """

    cases: str = "cases"
    notes: str = "notes.jsonl"
    base: str = ""
    cells: Mapping[str, Recipe] = field(default_factory=dict)
    query_notes: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    seeds: tuple[int, ...] = (0, 1, 2)
    partitions: Mapping[str, Partition] = field(default_factory=lambda: {"internal": Partition()})
    minimum: tuple[str, ...] = ()
    least_noted: float = 0.5
    pictures_per_second: float = 100.0


@dataclass(frozen=True)
class StudyPlan:
    """The hallucination study; see `train.comparison.hallucination`.

    Attributes:
        base: As in `GridPlan`.
        settings: As in `GridPlan`.
        seeds: Of the training runs, and of the errors in the notes.
        kinds: Strategies that the stand-in writes.
        rates: Shares of attributes (and blind diagnoses) that are wrong; the first is the one compared with.
        drawn: Drawn lesions to train and validate on, before splitting.
        held_out: Drawn lesions of another seed to measure on.
        minimum: Cells that `--minimum` runs.
        pictures_per_second: As in `GridPlan`.
    """

    base: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    seeds: tuple[int, ...] = (0, 1, 2)
    kinds: tuple[str, ...] = ("m+p1", "m+p2", "p3")
    rates: tuple[float, ...] = (0.0, 0.1, 0.2, 0.4, 0.8)
    drawn: int = 1000
    held_out: int = 400
    minimum: tuple[str, ...] = ()
    pictures_per_second: float = 100.0


def load_plan(path: str | Path, overrides: Sequence[str] = ()) -> GridPlan | StudyPlan:
    """Reads a comparison's config file.

    Args:
        path: A YAML file; `kind: hallucination` makes it a study, else it is a grid.
        overrides: `key=value` changes of the training settings of all cells.

    Raises:
        ConfigError: The file is missing or not YAML, a key is unknown, or a value is wrong.
    """
    where = str(path)
    values = _read_yaml(Path(path))
    kind = values.pop("kind", "grid")
    if kind not in ("grid", "hallucination"):
        raise ConfigError(f"'kind' in {where} must be grid or hallucination, not {kind!r}.")
    values["settings"] = apply_overrides(dict(_mapping(values.get("settings"), "settings", where)), list(overrides))
    if "base" not in values:
        raise ConfigError(f"{where} names no base.", "Name a training config, such as base: starter.yaml.")
    values["base"] = str(Path(path).parent / str(values["base"]))
    return _study(values, where) if kind == "hallucination" else _grid(values, where)


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"The config {path} cannot be read.", "Ready ones are in train/configs.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not valid YAML ({str(error).splitlines()[0]}).") from error
    return dict(_mapping(values, "the file", str(path)))


def _grid(values: dict[str, Any], where: str) -> GridPlan:
    cells = {
        str(name): _recipe(each, f"cells.{name}", where)
        for name, each in _mapping(values.pop("cells", None), "cells", where).items()
    }
    given = _mapping(values.pop("partitions", None), "partitions", where) or {"internal": {}}
    partitions = {str(name): build(Partition, each or {}, where, f"partitions.{name}.") for name, each in given.items()}
    if not cells:
        raise ConfigError(f"{where} names no cells.", "Name at least one under cells.")
    for name, cell in cells.items():
        for partition in cell.partitions:
            if partition not in partitions:
                raise unknown_key(partition, partitions, f"cells.{name}.partitions in {where}")
        if cell.against and cell.against not in cells:
            raise unknown_key(cell.against, cells, f"cells.{name}.against in {where}")
    plan = _with_lists(GridPlan, values, where, cells=cells, partitions=partitions)
    if not 0 <= plan.least_noted <= 1:
        raise ConfigError(f"'least_noted' in {where} must be between 0 and 1, not {plan.least_noted}.")
    return plan


def _study(values: dict[str, Any], where: str) -> StudyPlan:
    plan = _with_lists(StudyPlan, values, where)
    if any(not 0 <= rate <= 1 for rate in plan.rates) or len(plan.rates) < 2:
        raise ConfigError(f"'rates' in {where} must be two or more numbers between 0 and 1.")
    unknown = [kind for kind in plan.kinds if kind not in ("m+p1", "m+p2", "p3")]
    if unknown:
        raise unknown_key(unknown[0], ("m+p1", "m+p2", "p3"), f"kinds in {where}")
    return plan


def _with_lists(kind: type[T], values: dict[str, Any], where: str, **ready: Any) -> T:
    """A plan, whose lists of numbers and groups of settings `build` does not know."""
    settings = values.pop("settings")
    numbers: dict[str, tuple[Any, ...]] = {}
    for key, number in (("seeds", int), ("rates", float)):
        if key in values:
            numbers[key] = _numbers(values.pop(key), number, key, where)
    return replace(build(kind, values, where), settings=settings, **numbers, **ready)  # type: ignore[type-var]


def _recipe(values: Any, key: str, where: str) -> Recipe:
    given = dict(_mapping(values, key, where))
    settings = dict(_mapping(given.pop("settings", None), f"{key}.settings", where))
    return replace(build(Recipe, given, where, f"{key}."), settings=settings)


def _numbers(value: Any, kind: type, key: str, where: str) -> tuple[Any, ...]:
    items = value if isinstance(value, list) else [value]
    fits = [isinstance(each, int if kind is int else (int, float)) and not isinstance(each, bool) for each in items]
    if not items or not all(fits) or len(set(items)) < len(items):
        raise ConfigError(f"'{key}' in {where} must be a list of different numbers, not {value!r}.")
    return tuple(kind(each) for each in items)


def _mapping(value: Any, key: str, where: str) -> Mapping[str, Any]:
    if not isinstance(value or {}, Mapping):
        raise ConfigError(f"'{key}' in {where} is not a group of names and values.")
    return value or {}
