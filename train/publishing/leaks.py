"""Check of a folder for API keys and patient columns before it is published."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from dermnote.errors import BundleError

# API keys of common services; long enough that prose does not match.
KEY_PATTERN = (
    r"\bhf_[A-Za-z0-9]{30,}\b|\bsk-[A-Za-z0-9_-]{20,}\b|\bAKIA[0-9A-Z]{16}\b|\bgh[pousr]_[A-Za-z0-9]{36,}\b"
    r"|\bAIza[0-9A-Za-z_-]{35}\b|-----BEGIN [A-Z ]*PRIVATE KEY-----"
)
PATIENT_COLUMNS = {
    *("patient", "patient_id", "patientid", "pid", "mrn", "group", "name", "first_name", "last_name", "surname"),
    *("birth_date", "birthdate", "date_of_birth", "dob", "address", "email", "phone", "ssn", "insurance_number"),
}
TEXT_SUFFIXES = (".json", ".jsonl", ".md", ".txt", ".csv", ".py", ".css", ".toml", ".yaml", ".yml")


def refuse_leaks(folder: Path) -> None:
    """Check every text file and every table.

    Raises:
        BundleError: One has what looks like a key, or a patient column; the message does not repeat the value.
    """
    for path in sorted(folder.rglob("*")):
        if path.suffix == ".parquet":
            problems = _in_table(path)
        elif path.suffix in TEXT_SUFFIXES and path.is_file():
            problems = _in_text(path)
        else:
            continue
        for problem in problems:
            raise BundleError(
                f"{path.relative_to(folder)} has {problem}: nothing was sent.", "Remove it and try again."
            )


def _in_text(path: Path) -> Iterator[str]:
    for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), start=1):
        if re.search(KEY_PATTERN, line):
            yield f"what looks like a key in line {number}"


def _in_table(path: Path) -> Iterator[str]:
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    file = pq.ParquetFile(path)
    for name in file.schema_arrow.names:
        if name.lower().replace(" ", "_") in PATIENT_COLUMNS:
            yield f"a patient column ('{name}')"
    texts = [
        each.name for each in file.schema_arrow if pa.types.is_string(each.type) or pa.types.is_large_string(each.type)
    ]
    for batch in file.iter_batches(columns=texts):
        for name, column in zip(batch.schema.names, batch.columns, strict=True):
            if pc.any(pc.match_substring_regex(column, KEY_PATTERN)).as_py():
                yield f"what looks like a key in column '{name}'"
