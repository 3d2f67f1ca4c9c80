"""Files of a source: its tables, read with blanks as None, and its images by name."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from dermnote.errors import CasesError

from .cell_values import blank_to_none

Row = dict[str, Any]
IMAGE_FILES = (".jpg", ".jpeg", ".png")


def read_table(path: Path, columns: Iterable[str] = (), *, header: int = 0) -> list[Row]:
    """Return the rows of a CSV (comma or tab), Excel, JSON lines or Parquet file, or of a text file ruled with "||".

    Cells of text formats stay text, so that an id "007" or a file named "1.0" is not changed.

    Args:
        path: File to read.
        columns: Required columns.
        header: Lines of an Excel sheet above its column names, which then lose a list of codes in parentheses.

    Raises:
        CasesError: The file cannot be read as a table, or lacks one of `columns`.
    """
    try:
        table = _read(path, header)
    except (ValueError, OSError, zipfile.BadZipFile, pd.errors.ParserError) as error:
        raise CasesError(f"{path} cannot be read as a table.", "Check that it is a well-formed, UTF-8 file.") from error
    missing = [name for name in columns if name not in table.columns]
    if missing:
        raise CasesError(f"{path} has no column {', '.join(missing)}.", "Is this the intended folder?")
    return [{key: blank_to_none(value) for key, value in row.items()} for row in table.to_dict("records")]


def _read(path: Path, header: int) -> pd.DataFrame:
    if path.suffix == ".parquet":
        return pd.read_parquet(path)
    if path.suffix == ".jsonl":
        return pd.read_json(path, lines=True, dtype=False, convert_dates=False)
    if path.suffix == ".xlsx":
        sheet = pd.read_excel(path, dtype=str, keep_default_na=False, header=header)
        return sheet.rename(columns=lambda name: name.split("(")[0].strip()) if header else sheet
    if path.suffix == ".txt":
        return _read_ruled(path)
    separator = "\t" if path.suffix in (".tab", ".tsv") else ","
    return pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig", sep=separator)


def _read_ruled(path: Path) -> pd.DataFrame:
    """Read lines of cells between "||"; lines without them are remarks."""
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    cells = [[cell.strip() for cell in line.strip().strip("|").split("||")] for line in lines if "||" in line]
    return pd.DataFrame([dict(zip(cells[0], line, strict=False)) for line in cells[1:]] if cells else [])


def find_first(folder: Path, patterns: Iterable[str]) -> Path | None:
    """Return the first file found, pattern by pattern; one directly in the folder comes before those below it."""
    for pattern in patterns:
        found = sorted(folder.glob(pattern), key=lambda path: (path.parent != folder, path))
        if files := [path for path in found if path.is_file()]:
            return files[0]
    return None


def find_images(folder: Path, suffixes: Iterable[str] = IMAGE_FILES) -> list[Path]:
    """Return every image below a folder, sorted."""
    wanted = set(suffixes)
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in wanted)


def index_images(folder: Path, suffixes: Iterable[str] = IMAGE_FILES) -> dict[str, Path]:
    """Return every image below a folder by lower-case stem; publishers spread one set over several folders."""
    return {path.stem.lower(): path for path in reversed(find_images(folder, suffixes))}
