"""Reader of every source that `sources.yaml` describes: its tables or folders become cases by specification."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from dermnote.errors import CasesError
from dermnote.images.opening import Modality

from . import row_details
from .cell_values import age_in_years, fitzpatrick, malignancy, number, official_split, plain_words, sex, text
from .diagnoses import ACTINIC, class_of, subtype_of
from .raw_case import Item, LeftOut, RawCase, Rejected, Source
from .row_details import Details
from .table_files import IMAGE_FILES, Row, find_first, find_images, index_images, read_table


@dataclass(frozen=True)
class Join:
    """Columns of another table (a glob; several files are read as one), added to the rows that agree in column `by`.

    Without `columns` all of them are added. An optional table may be missing.
    """

    table: str
    by: str
    columns: tuple[str, ...] = ()
    optional: bool = False

    def rows(self, folder: Path) -> dict[str, Row] | None:
        """Return the joined columns by the value of `by`; None if the table is missing and may not be."""
        tables = sorted(folder.glob(self.table))
        if not tables and not self.optional:
            return None
        rows = (row for path in tables for row in read_table(path, (self.by, *self.columns)))
        return {row[self.by]: {key: row[key] for key in self.columns} if self.columns else row for row in rows}


@dataclass(frozen=True)
class Layout:
    """Arrangement of a source's files and the meaning of their columns: an entry of `read` in `sources.yaml`.

    Attributes:
        tables: Globs below the folder. A list: the first file found is read. A mapping: every file found is read, and
            its rows are of the split given.
        images: Instead of tables: a pattern of an image's path below the folder, without its suffix. Its named groups
            are the columns.
        required: Columns that the table must have.
        join: Further tables.
        header: Lines above the column names of an Excel sheet.
        columns: The column that holds the id, code, group, age, sex, site, skin_type, malignancy, subtype, description,
            split or modality; of several columns the first known value counts. Without a group, an image is its own.
        codes: Codes of the diagnosis by class.
        subtypes: Finer diagnosis by code.
        by_prefix: Whether `codes` are the beginnings of codes.
        by_name: Whether codes are (also) names of diagnoses, see `diagnoses`.
        in_situ: With `by_name`, the class of squamous cell carcinoma in situ.
        lower_case_codes: Whether codes are compared in lower case.
        one_hot: Columns of which the one that is 1 is the code.
        modalities: Modality by value, and of any "other"; empty where the source has only one.
        details: A function of `row_details`.
        unused: Further columns that are not kept in `extra`. The others, except those read, are.
        image_files: Suffixes of images.
        image_folder: Folder of the images, if it is there.
        isic_id: Whether ids that start with ISIC_ are names in the ISIC Archive.
        file_ending: Of an image's name in a message that it is missing.
        needs_a_class: Whether a folder without any case is the wrong one.
        needs_every_code: Whether a folder without a case of each code is the wrong one.
    """

    tables: Mapping[str, str | None] | tuple[str, ...] = ()
    images: str = ""
    required: tuple[str, ...] = ()
    join: tuple[Mapping[str, Any], ...] = ()
    header: int = 0
    columns: Mapping[str, str | list[str]] = field(default_factory=dict)
    codes: Mapping[str, list[str]] = field(default_factory=dict)
    subtypes: Mapping[str, str] = field(default_factory=dict)
    by_prefix: bool = False
    by_name: bool = False
    in_situ: str = ACTINIC
    lower_case_codes: bool = False
    one_hot: tuple[str, ...] = ()
    modalities: Mapping[str, Modality] = field(default_factory=dict)
    details: str = ""
    unused: tuple[str, ...] = ()
    image_files: tuple[str, ...] = IMAGE_FILES
    image_folder: str = ""
    isic_id: bool = False
    file_ending: str = ""
    needs_a_class: bool = False
    needs_every_code: bool = False

    @property
    def class_of_code(self) -> dict[str, str]:
        """Class by code."""
        return {code: label for label, codes in self.codes.items() for code in codes}

    def columns_of(self, field: str) -> tuple[str, ...]:
        """Return the columns that hold a field of a case, the preferred one first."""
        named = self.columns.get(field, ())
        return (named,) if isinstance(named, str) else tuple(named)

    @property
    def used(self) -> set[str]:
        """Columns that are not kept in `extra`."""
        return {*self.unused, *self.one_hot, *(name for each in self.columns for name in self.columns_of(each))}

    def find_tables(self, folder: Path) -> list[tuple[Path, str | None]]:
        """Return the tables to read, each with the split of its rows."""
        if isinstance(self.tables, Mapping):
            return [(path, split) for each, split in self.tables.items() for path in sorted(folder.glob(each))]
        first = find_first(folder, self.tables)
        return [(first, None)] if first else []


def read_layouts(source: Source, layouts: Iterable[Layout], folder: Path) -> Iterator[Item]:
    """Yield a case, or the reason why there is none, for every row of the first layout found.

    Raises:
        CasesError: The folder has none of the layouts, or a table is damaged or lacks a column.
    """
    for layout in layouts:
        reader = _Reader(source, layout, folder)
        items = reader.from_tables() if layout.tables else reader.from_folders()
        if items is not None:
            yield from items
            return
    raise not_found(source, folder)


def not_found(source: Source, folder: Path) -> CasesError:
    """Return the error for a folder that does not hold the files of a source."""
    return CasesError(f"{folder} does not look like {source.name}: looked for {source.layout}.")


class _Reader:
    """Reads one folder by one layout."""

    def __init__(self, source: Source, layout: Layout, folder: Path) -> None:
        self.source, self.layout, self.folder = source, layout, folder
        self.classes, self.used = layout.class_of_code, layout.used
        self.images: dict[str, Path] = {}

    def from_tables(self) -> Iterator[Item] | None:
        """Return the items of the layout's tables; None if one is missing."""
        tables = self.layout.find_tables(self.folder)
        joined = [(join, join.rows(self.folder)) for join in (Join(**each) for each in self.layout.join)]
        if not tables or any(rows is None for _, rows in joined):
            return None
        return self._read_tables(tables, [(join.by, rows or {}) for join, rows in joined])

    def _read_tables(
        self, tables: list[tuple[Path, str | None]], joined: list[tuple[str, dict[str, Row]]]
    ) -> Iterator[Item]:
        images = self.folder / self.layout.image_folder
        self.images = index_images(images if images.is_dir() else self.folder, self.layout.image_files)
        details = self._details()
        for path, split in tables:
            header = self.layout.header if path.suffix == ".xlsx" else 0
            rows = read_table(path, self.layout.required, header=header)
            for row_number, row in enumerate(rows, start=2 + header):
                for by, more in joined:
                    row = {**more.get(row[by], {}), **row}
                for found in details(row, row_number):
                    yield self._item(row, row_number, {"split": split, **found})

    def from_folders(self) -> Iterator[Item] | None:
        """Return the items of images whose paths match the layout; None if the folder holds other images."""
        pattern, details = re.compile(self.layout.images), self._details()
        items: list[Item] = []
        for path in find_images(self.folder, self.layout.image_files):
            matched = pattern.fullmatch(path.relative_to(self.folder).with_suffix("").as_posix())
            if matched is None:
                continue
            row = matched.groupdict()
            items += [self._item(row, None, {"image": path, **found}) for found in details(row, 0)]
        codes = {item.extra["code"] for item in items if isinstance(item, RawCase)}
        needed = self.layout.needs_every_code and codes != set(self.classes)
        return None if not items or needed or (self.layout.needs_a_class and not codes) else iter(items)

    def _details(self) -> row_details.RowDetails:
        if not self.layout.details:
            return lambda row, row_number: [{}]
        return cast(row_details.FolderDetails, getattr(row_details, self.layout.details))(self.folder)

    def _value(self, row: Row, field: str) -> str | None:
        return next(filter(None, (text(row.get(name)) for name in self.layout.columns_of(field))), None)

    def _code(self, row: Row) -> str | None:
        if self.layout.one_hot:
            return next((code for code in self.layout.one_hot if number(row.get(code)) == 1), None)
        code = self._value(row, "code")
        return code.lower() if code and self.layout.lower_case_codes else code

    def _label(self, code: str | None) -> str | None:
        if code is None:
            return None
        if self.layout.by_prefix:
            return next((label for prefix, label in self.classes.items() if code.startswith(prefix)), None)
        by_name = class_of(code, in_situ=self.layout.in_situ) if self.layout.by_name else None
        return self.classes.get(code) or by_name

    def _subtype(self, row: Row, code: str | None, label: str | None) -> str | None:
        if self.layout.columns_of("subtype"):
            return subtype_of(self._value(row, "subtype"), label)
        if self.layout.by_name and code not in self.classes:
            return subtype_of(code, label)
        return self.layout.subtypes.get(code or "")

    def _modality(self, row: Row) -> Modality:
        if not self.layout.modalities:
            return cast(Modality, self.source.modality)
        return self.layout.modalities.get(self._value(row, "modality") or "", self.layout.modalities["other"])

    def _item(self, row: Row, row_number: int | None, known: Details) -> Item:
        """Return the case of a row, or the reason why there is none; `known` goes before the row's columns."""
        source, layout = self.source, self.layout
        name = known.get("name") or _stem(row, layout.columns_of("id"), keep_folder=bool(layout.images))
        case_id = f"{source.name}/{name}"
        if "left_out" in known:
            return LeftOut(case_id, source.name, known["left_out"])
        code = known["code"] if "code" in known else self._code(row)
        label = known["label"] if "label" in known else self._label(code)
        if label is None:
            return LeftOut(case_id, source.name, f"no class for {code}" if code else "no label")
        image = known.get("image") or self.images.get(name.lower()) or self.images.get(known.get("other_name", ""))
        if image is None:
            return Rejected(source.name, f"{name}{layout.file_ending}", row_number, "the image is missing")
        rest = {key: value for key, value in row.items() if key not in self.used and value is not None}
        group = f"{known.get('group_source', source.name)}/{known.get('group') or self._value(row, 'group') or name}"
        return RawCase(
            case_id,
            source.name,
            known.get("modality") or self._modality(row),
            image,
            group,
            label=label,
            malignancy=malignancy(self._value(row, "malignancy")),
            subtype=known["subtype"] if "subtype" in known else self._subtype(row, code, label),
            description=known.get("description") or plain_words(self._value(row, "description")),
            age=age_in_years(self._value(row, "age")),
            sex=sex(self._value(row, "sex")),
            site=known["site"] if "site" in known else plain_words(self._value(row, "site")),
            skin_type=known.get("skin_type") or fitzpatrick(self._value(row, "skin_type")),
            split=official_split(self._value(row, "split")) or known.get("split"),
            extra={**({"code": code} if code else {}), **rest},
            aspect=known.get("aspect"),
            row=row_number,
            isic_id=name.removesuffix("_downsampled") if layout.isic_id and name.startswith("ISIC_") else None,
        )


def _stem(row: Row, columns: Iterable[str], *, keep_folder: bool) -> str:
    """Return the id of a row without the suffix of a file name."""
    value = next((row[name] for name in columns if row.get(name) is not None), None)
    return str(value) if keep_folder else Path(str(value)).stem
