"""Cases of all sources before any image is opened: collected, mapped to classes, and fingerprinted."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache, partial
from pathlib import Path
from typing import Any

from PIL import Image

from dermnote import taxonomy
from dermnote.images.opening import Modality
from dermnote.taxonomy import find_class

from .sources import Item, LeftOut, RawCase, Rejected, Source, get_reader
from .sources.catalogue import entries, layouts
from .sources.diagnoses import subtype_of

SCHEMES = ("eight", "five", "own")
DERMNOTE, TRAIN = Path(taxonomy.__file__).parent, Path(__file__).resolve().parent.parent
# Code that determines the content of a cases folder; after a change the folder is made again.
CODE = (
    *sorted((DERMNOTE / "images").glob("*.py")),
    DERMNOTE / "taxonomy.py",
    TRAIN / "prepare.py",
    *sorted((TRAIN / "data").glob("*.py")),
    *sorted((TRAIN / "data" / "sources").glob("*.py")),
)
DRAWING = (*sorted((TRAIN / "synthetic").glob("*.py")), *sorted((TRAIN / "synthetic").glob("*.yaml")))


@dataclass
class CollectedCases:
    """Rows of the tables of all sources: cases with a class, valid rows that are not used, and unusable rows."""

    sources: dict[str, Source] = field(default_factory=dict)
    cases: list[RawCase] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)

    def add(self, item: Item) -> None:
        """Add a row where it belongs."""
        if isinstance(item, RawCase):
            self.cases.append(item)
        elif isinstance(item, LeftOut):
            self.left_out.append(item)
        else:
            self.rejected.append(item)


def collect_cases(sources: Mapping[str, str], scheme: str, modality: Modality | None = None) -> CollectedCases:
    """Read the tables of all sources (folder or spec by name) and map their labels to a scheme of `SCHEMES`.

    `modality` is that of the images of folders that are no known source, where the table does not give it.

    Raises:
        CasesError: A folder does not hold the files of its source.
    """
    collected, seen = CollectedCases(), set[str]()
    for name, where in sources.items():
        reader = get_reader(name, modality)
        collected.sources[name] = reader.source
        for item in reader.read(where):
            if not isinstance(item, RawCase):
                collected.add(item)
            elif item.case_id in seen:
                collected.add(Rejected(item.source, item.case_id, None, "this id is twice in the table"))
            else:
                seen.add(item.case_id)
                collected.add(classify(item, scheme))
    return collected


def classify(case: RawCase, scheme: str) -> RawCase | LeftOut:
    """Return the case with the scheme's class name, its malignancy and subtype; or the reason for having no class."""
    if case.label is None:
        return LeftOut(case.case_id, case.source, "no label")
    known = find_class(case.label)
    if scheme == "own":
        return replace(case, malignancy=case.malignancy or (known.malignancy if known else None))
    if known is None:
        return LeftOut(case.case_id, case.source, f"no class for '{case.label}'")
    if scheme == "five" and known not in taxonomy.FIVE:
        return LeftOut(case.case_id, case.source, f"'{known.name}' is not among the five classes")
    return replace(
        case,
        label=known.name,
        malignancy=case.malignancy or known.malignancy,
        subtype=case.subtype or subtype_of(case.label, known.name),
    )


def classnames(scheme: str, labels: Iterable[str]) -> tuple[str, ...]:
    """Return class names in id order; a folder's own labels are sorted, so that ids do not depend on row order."""
    return tuple(sorted(set(labels))) if scheme == "own" else taxonomy.classnames(scheme)


def fingerprint(collected: CollectedCases, settings: Mapping[str, Any]) -> str:
    """Return a sha256 over settings, code, every row, and size and time of every image file.

    A second run with the same fingerprint has nothing to do.
    """
    digest = hashlib.sha256()
    digest.update(repr(sorted(settings.items())).encode())
    digest.update(_code_digest(tuple(collected.sources)).encode())
    digest.update(repr([collected.sources, collected.left_out, collected.rejected]).encode())
    for case in collected.cases:
        digest.update(repr(replace(case, picture=Path())).encode())
        digest.update(_image_state(case))
    return digest.hexdigest()


def _image_state(case: RawCase) -> bytes:
    image = case.picture
    if isinstance(image, Path):
        try:
            state = image.stat()
        except OSError:
            return f"{image} gone".encode()
        return f"{image} {state.st_size} {state.st_mtime_ns}".encode()
    if isinstance(image, Image.Image):
        return image.tobytes()
    return _call_name(image).encode()


def _call_name(drawing: Callable[[], Image.Image]) -> str:
    """Return a callable's function and arguments; its own repr has an address in memory."""
    bound = drawing if isinstance(drawing, partial) else partial(drawing)
    return f"{bound.func.__module__}.{bound.func.__qualname__} {bound.args} {sorted(bound.keywords.items())}"


@cache
def _code_digest(sources: tuple[str, ...]) -> str:
    """Return a sha256 over the code and the specifications by which these sources become cases."""
    specifications = [layouts(name) for name in sources if name in entries()]
    files = [*CODE, *(DRAWING if "drawn" in sources else ())]
    code = b"".join(path.read_bytes() for path in files)
    return hashlib.sha256(code + repr(specifications).encode()).hexdigest()
