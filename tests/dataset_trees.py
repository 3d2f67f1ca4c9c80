"""Folders in publishers' layouts, with plain pictures, for the tests of `train.data.sources`."""

import csv
from collections import Counter
from pathlib import Path

import pytest
from PIL import Image

from train.data.sources import Item, RawCase, get_reader, table_reader

REAL_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
TABLES = REAL_DATA / "csv_only"


def table(path: Path, *rows: dict) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(dict.fromkeys(key for row in rows for key in row)), restval="")
        writer.writeheader()
        writer.writerows(rows)


def photo(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (60, 40), "pink").save(path)


def read(name: str, folder: Path) -> list:
    return list(get_reader(name).read(str(folder)))


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8-sig") as stream:
        return list(csv.DictReader(stream))


def labels(items: list[Item]) -> dict[str, str]:
    """Class by case id, without the source."""
    return {each.case_id.split("/", 1)[1]: each.label or "" for each in items if isinstance(each, RawCase)}


def reasons(items: list[Item]) -> Counter[str]:
    """Why rows have become no case."""
    return Counter(each.reason for each in items if not isinstance(each, RawCase))


def count(items: list[Item]) -> dict[str, int]:
    """Cases a class."""
    return dict(Counter(labels(items).values()))


class EveryPicture(dict[str, Path]):
    """A folder in which every picture is there: what is tested is the table."""

    def get(self, key: str, default: Path | None = None) -> Path | None:
        return Path(f"{key}.jpg")


def with_every_picture(monkeypatch: pytest.MonkeyPatch, *modules: str) -> None:
    monkeypatch.setattr(table_reader, "index_images", lambda *_: EveryPicture())
