"""Where cases come from: a folder, or a dataset on the Hugging Face Hub, "org/name" or "org/name@revision"."""

from __future__ import annotations

import re
from pathlib import Path

from dermnote.errors import CasesError, HubError
from dermnote.hub import pull

NEEDED = ("data/*.parquet", "summary.json", "README.md")
DATASET = re.compile(r"(?P<name>[\w-][\w.-]*/[\w-][\w.-]*)(?:@(?P<revision>[^@\s]+))?")
HINT = "Make it with `python -m train.prepare`, or name a Hub dataset as org/name or org/name@revision."


def cases_folder(source: str | Path) -> Path:
    """The folder of the cases named; of a Hub dataset what is needed is downloaded first, or found in its cache.

    Args:
        source: A folder wins over a dataset of the same name.

    Raises:
        CasesError: There is no such folder, and it cannot be meant as a dataset.
        HubError: The dataset is unknown, private, or cannot be reached.
    """
    folder = Path(source)
    if folder.is_dir():
        return folder
    named = DATASET.fullmatch(str(source))
    if named is None or folder.exists():
        raise CasesError(f"The cases folder {source} is not there.", HINT)
    try:
        return pull(named["name"], named["revision"], allow_patterns=NEEDED, kind="dataset")
    except HubError as error:
        words = f"There is no folder {source}; as a Hub dataset: {error.message}"
        raise HubError(words, error.hint, retryable=error.retryable) from error
