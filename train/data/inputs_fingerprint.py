"""A mark of everything a cases folder is made from, so that a second run with the same inputs has nothing to do."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache, partial
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from PIL import Image

from .gather import Gathered
from .sources import NAMED
from .sources.raw import RawCase

TRAIN = Path(__file__).resolve().parent.parent
# Code that decides what ends up in a cases folder: a change in any of it makes the folder anew.
CODE = (
    *sorted((TRAIN.parent / "dermnote" / "images").glob("*.py")),
    TRAIN.parent / "dermnote" / "taxonomy.py",
    *((TRAIN / "data/sources" / name) for name in ("raw.py", "tables.py", "items.py", "diagnoses.py", "skin.py")),
    TRAIN / "prepare.py",
    *sorted((TRAIN / "data").glob("*.py")),
)


def fingerprint(gathered: Gathered, settings: Mapping[str, Any]) -> str:
    """sha256 over settings, code, every row of every table, and size and time of every picture file."""
    digest = hashlib.sha256()
    digest.update(repr(sorted(settings.items())).encode())
    digest.update(_code(tuple(gathered.sources)).encode())
    digest.update(repr([gathered.sources, gathered.left_out, gathered.rejected]).encode())
    for case in gathered.cases:
        digest.update(repr(replace(case, picture=Path())).encode())
        digest.update(_state(case))
    return digest.hexdigest()


def _state(case: RawCase) -> bytes:
    picture = case.picture
    if isinstance(picture, Path):
        try:
            state = picture.stat()
        except OSError:
            return f"{picture} gone".encode()
        return f"{picture} {state.st_size} {state.st_mtime_ns}".encode()
    if isinstance(picture, Image.Image):
        return picture.tobytes()
    return _name(picture).encode()


def _name(drawing: Callable[[], Image.Image]) -> str:
    """A callable by its function and arguments; its own repr would bear an address in memory."""
    bound = drawing if isinstance(drawing, partial) else partial(drawing)
    return f"{bound.func.__module__}.{bound.func.__qualname__} {bound.args} {sorted(bound.keywords.items())}"


def _modules(name: str) -> list[Path]:
    """The file of a source's module, and of those it is built on ("hiba" is read as any "isic_archive")."""
    module = import_module(f"train.data.sources.{name}")
    inside = {each.__name__ for each in vars(module).values() if isinstance(each, ModuleType)} | {module.__name__}
    names = sorted(each.rpartition(".")[2] for each in inside if each.startswith("train.data.sources."))
    return [TRAIN / "data/sources" / f"{each}.py" for each in names]


@cache
def _code(sources: tuple[str, ...]) -> str:
    """sha256 over the code that makes a cases folder out of these sources."""
    modules = [path for name in sources for path in _modules(name if name in NAMED else "imagefolder")]
    drawing = sorted((TRAIN / "synthetic").glob("*.py")) if "drawn" in sources else []
    files = [*CODE, *modules, *drawing]
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()
