"""Folders in publishers' layouts, with plain images, for the tests of `train.data.sources`."""

import csv
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from tests.places import REAL_DATA
from train.data.sources import Item, RawCase, get_reader, table_reader

TABLES = REAL_DATA / "csv_only"
LABELS = yaml.safe_load(Path(__file__).with_name("source_labels.yaml").read_text(encoding="utf-8"))


def table(path: Path, *rows: dict) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(dict.fromkeys(key for row in rows for key in row)), restval="")
        writer.writeheader()
        writer.writerows(rows)


def photo(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (60, 40), "pink").save(path)


def noisy(path: Path, seed: int) -> None:
    """An image of 80 x 60 that is like no other."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 255, (6, 8, 3), dtype=np.uint8)
    Image.fromarray(pixels).resize((80, 60)).save(path)


def read(name: str, folder: Path) -> list:
    return list(get_reader(name).read(str(folder)))


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8-sig") as stream:
        return list(csv.DictReader(stream))


def cases_of(items: list[Item]) -> list[RawCase]:
    return [each for each in items if isinstance(each, RawCase)]


def labels(items: list[Item]) -> dict[str, str]:
    """Return the class by case id, without the source."""
    return {each.case_id.split("/", 1)[1]: each.label or "" for each in cases_of(items)}


def reasons(items: list[Item]) -> Counter[str]:
    """Count the reasons of rows that are no case."""
    return Counter(each.reason for each in items if not isinstance(each, RawCase))


class EveryImage(dict[str, Path]):
    def get(self, key: str, default: Path | None = None) -> Path | None:
        return Path(f"{key}.jpg")


def with_every_image(monkeypatch: pytest.MonkeyPatch) -> None:
    """Find an image for every row, so that only the tables are read."""
    monkeypatch.setattr(table_reader, "index_images", lambda *_: EveryImage())
