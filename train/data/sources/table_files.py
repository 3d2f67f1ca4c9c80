"""Reading publishers' tables: every spelling of "unknown" becomes None, and words become ours."""

from __future__ import annotations

import ast
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from dermnote.errors import CasesError
from dermnote.taxonomy import PRECANCEROUS

from .raw import LeftOut, Rejected, Source

SPLITS = {"train": "train", "val": "validation", "valid": "validation", "validation": "validation", "test": "test"}
# What tables write when they do not know.
MISSING = {"", "unk", "unknown", "nan", "none", "n/a", "na", "-"}
Row = dict[str, Any]


def read_table(path: Path, columns: Iterable[str] = (), *, header: int = 0) -> list[Row]:
    """Rows of a CSV (comma or tab), Excel, JSON lines or Parquet file; blanks are None.

    Args:
        path: The file.
        columns: Columns it must have.
        header: Lines of an Excel sheet above its column names.

    Raises:
        CasesError: The file cannot be read as a table, or lacks one of `columns`.
    """
    try:
        if path.suffix == ".parquet":
            table = pd.read_parquet(path)
        elif path.suffix == ".jsonl":
            table = pd.read_json(path, lines=True, dtype=False, convert_dates=False)
        elif path.suffix == ".xlsx":
            table = pd.read_excel(path, dtype=str, keep_default_na=False, header=header)
        else:
            # As text, so that an id "007" or a file named "1.0" stays what it is; `number` makes numbers where wanted.
            separator = "\t" if path.suffix in (".tab", ".tsv") else ","
            table = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig", sep=separator)
    except (ValueError, OSError, zipfile.BadZipFile, pd.errors.ParserError) as error:
        raise CasesError(f"{path} cannot be read as a table.", "Check that it is a well-formed, UTF-8 file.") from error
    lacking = [name for name in columns if name not in table.columns]
    if lacking:
        raise CasesError(f"{path} has no column {', '.join(lacking)}.", "Is this the folder that was meant?")
    return [{key: blank_to_none(value) for key, value in row.items()} for row in table.to_dict("records")]


def blank_to_none(value: Any) -> Any:
    """None for an empty string or NaN; a string without outer blanks; anything else as it is."""
    if isinstance(value, str):
        return value.strip() or None
    return None if value is None or (isinstance(value, float) and value != value) else value


def text(value: Any) -> str | None:
    """A known value as text; None for blanks and for "unknown", "UNK" and the like."""
    value = blank_to_none(value)
    return None if value is None or str(value).strip().lower() in MISSING else str(value).strip()


def number(value: Any) -> float | None:
    """A finite number, or None."""
    try:
        found = float(text(value) or "nan")
    except ValueError:
        return None
    return found if abs(found) < float("inf") else None  # NaN compares false too


def python_dict(value: Any) -> dict[str, float]:
    """A dictionary of weights that a table spells as Python does; empty where it is blank or none."""
    try:
        found = ast.literal_eval(text(value) or "{}")
    except (ValueError, SyntaxError):
        return {}
    return found if isinstance(found, dict) else {}


def whole_years(value: Any) -> float | None:
    """An age in years, or None where the table has none or an impossible one."""
    age = number(value)
    return age if age is not None and 0 <= age <= 120 else None


def female_or_male(value: Any) -> str | None:
    """ "female" or "male" from any case or initial, else None."""
    return {"female": "female", "f": "female", "male": "male", "m": "male"}.get((text(value) or "").lower())


def in_words(value: Any) -> str | None:
    """A place or finding in plain words ("FOREARM" -> "forearm", "lower_extremity" -> "lower extremity"), or None."""
    found = text(value)
    return found.replace("_", " ").lower() if found else None


def malignancy_of(value: Any) -> str | None:
    """The table's own word for malignancy, in ours ("indeterminate" is pre-cancerous), or None."""
    found = (text(value) or "").lower()
    if found.startswith(("indeterminate", "pre")):
        return PRECANCEROUS
    return {"benign": "benign", "malignant": "malignant"}.get(found)


def rest_of(row: Row, used: Iterable[str]) -> dict[str, Any]:
    """The columns of a row not in `used`, without blanks."""
    left = set(used)
    return {key: value for key, value in row.items() if key not in left and value is not None}


def official_split(value: Any) -> str | None:
    """ "train", "validation" or "test" from a publisher's word for it, or None."""
    return SPLITS.get((text(value) or "").lower())


def find_table(source: Source, folder: Path, *names: str) -> Path:
    """The first of `names` that lies in the folder or below it.

    Raises:
        CasesError: There is none.
    """
    found = (path for name in names for path in (folder / name, *sorted(folder.rglob(name))) if path.is_file())
    table = next(found, None)
    if table is None:
        raise not_found(source, folder)
    return table


def not_found(source: Source, folder: Path) -> CasesError:
    """The error for a folder that does not hold what the source looks for."""
    return CasesError(f"{folder} does not look like {source.name}: looked for {source.layout}.")


def no_class(source: Source, case_id: str, code: str | None) -> LeftOut:
    """A row whose code stands for none of our classes, or that has none."""
    return LeftOut(case_id, source.name, f"no class for {code}" if code else "no label")


def missing_picture(source: Source, file: str, number_of_row: int) -> Rejected:
    """A row whose picture is not in the folder."""
    return Rejected(source.name, file, number_of_row, "the picture is missing")


def index_pictures(folder: Path, suffixes: tuple[str, ...] = (".jpg", ".jpeg", ".png")) -> dict[str, Path]:
    """Every picture below a folder by stem, lower case; publishers spread one set over several folders."""
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in suffixes)
    return {path.stem.lower(): path for path in reversed(found)}
