"""What must not leave this machine, looked for in a folder before any of it is sent: keys, and columns on patients."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from dermnote.errors import BundleError

# The shapes that keys of the common services have; each is long enough that prose does not match it.
KEY_SHAPES = (
    r"\bhf_[A-Za-z0-9]{30,}\b|\bsk-[A-Za-z0-9_-]{20,}\b|\bAKIA[0-9A-Z]{16}\b|\bgh[pousr]_[A-Za-z0-9]{36,}\b"
    r"|\bAIza[0-9A-Za-z_-]{35}\b|-----BEGIN [A-Z ]*PRIVATE KEY-----"
)
PATIENT = {
    *("patient", "patient_id", "patientid", "pid", "mrn", "group", "name", "first_name", "last_name", "surname"),
    *("birth_date", "birthdate", "date_of_birth", "dob", "address", "email", "phone", "ssn", "insurance_number"),
}
WORDS = (".json", ".jsonl", ".md", ".txt", ".csv", ".py", ".css", ".toml", ".yaml", ".yml")


def refuse_leaks(folder: Path) -> None:
    """Looks through every file of words and every table.

    Raises:
        BundleError: One holds what looks like a key, or a column on patients; nothing of what was found is repeated.
    """
    for path in sorted(folder.rglob("*")):
        if path.suffix == ".parquet":
            found = _in_table(path)
        elif path.suffix in WORDS and path.is_file():
            found = _in_words(path)
        else:
            continue
        for what in found:
            raise BundleError(
                f"{path.relative_to(folder)} holds {what}: nothing was sent.", "Take it out and try again."
            )


def _in_words(path: Path) -> Iterator[str]:
    for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), start=1):
        if re.search(KEY_SHAPES, line):
            yield f"what looks like a key in line {number}"


def _in_table(path: Path) -> Iterator[str]:
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    file = pq.ParquetFile(path)
    for name in file.schema_arrow.names:
        if name.lower().replace(" ", "_") in PATIENT:
            yield f"a column on patients ('{name}')"
    texts = [
        each.name for each in file.schema_arrow if pa.types.is_string(each.type) or pa.types.is_large_string(each.type)
    ]
    for batch in file.iter_batches(columns=texts):
        for name, column in zip(batch.schema.names, batch.columns, strict=True):
            if pc.any(pc.match_substring_regex(column, KEY_SHAPES)).as_py():
                yield f"what looks like a key in column '{name}'"
