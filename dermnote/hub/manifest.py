"""A bundle's `manifest.json`: the size and sha256 of every file, so that nothing missing, added or changed is read."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath

from dermnote.errors import BundleError
from dermnote.storage import replacing_file, sha256_of

MANIFEST = "manifest.json"
MANIFEST_FORMAT = 1
MAX_MANIFEST_BYTES = 16_000_000
REFETCH = "Fetch it again, or make it again with `python -m train.build_index`."

# Data and words only. Pickles (.bin, .pt, .pkl) and code (.py) run when they are loaded, so a bundle never holds any.
ALLOWED_SUFFIXES = (".json", ".md", ".txt", ".safetensors", ".model", ".faiss", ".parquet", ".jpg", ".png")
ALLOWED_NAMES = ("LICENSE", "NOTICE")
# What git and the Hub client add by themselves beside the files they carry; DermNote reads none of it.
FOREIGN = (".git", ".gitattributes", ".cache")


def is_bundle(folder: str | Path) -> bool:
    """Whether the folder has a manifest."""
    return (Path(folder) / MANIFEST).is_file()


def write_manifest(folder: str | Path) -> dict[str, dict[str, str | int]]:
    """Writes `manifest.json` over all files of a finished bundle; call it last.

    Returns:
        For each file (POSIX path relative to the folder) its "sha256" (hex) and "size" (bytes).

    Raises:
        BundleError: A file is a link or of a kind that a bundle must not hold.
    """
    root = Path(folder)
    files: dict[str, dict[str, str | int]] = {}
    for name in sorted(_files_in(root)):
        path = _checked_path(root, name)
        files[name] = {"sha256": sha256_of(path), "size": path.stat().st_size}
    with replacing_file(root / MANIFEST) as aside:
        aside.write_text(json.dumps({"format": MANIFEST_FORMAT, "files": files}, indent=1) + "\n", encoding="utf-8")
    return files


def verify_manifest(folder: str | Path, patterns: Sequence[str] | None = None, *, missing_allowed: bool = True) -> None:
    """Checks a bundle against its manifest before anything in it is read.

    Args:
        folder: The bundle.
        patterns: Only files that match one of these (as in `huggingface_hub`'s `allow_patterns`) are checked: what a
            pull of a part brings. None: every file, none missing, none extra.
        missing_allowed: With patterns: whether files that match may be absent.

    Raises:
        BundleError: No manifest, or a file is missing, extra, changed, a link, or named outside the folder.
    """
    root = Path(folder)
    listed = read_manifest(root)
    present = set(_files_in(root))
    if patterns is None:
        _refuse_difference(root, present, set(listed))
        wanted = set(listed)
    else:
        wanted = {name for name in present if _matches(name, patterns)}
        due = set(listed) if missing_allowed else {name for name in listed if _matches(name, patterns)}
        _refuse_difference(root, wanted, due, missing_allowed=missing_allowed)
    for name in sorted(wanted):
        _check_file(root, name, listed[name])


def read_manifest(folder: str | Path) -> dict[str, tuple[str, int]]:
    """The manifest's entries: path -> (sha256, size in bytes), with every path known to stay inside the folder."""
    path = Path(folder) / MANIFEST
    if not path.is_file():
        raise BundleError(f"{folder} is not a DermNote bundle: it has no {MANIFEST}.", "Name a folder that holds one.")
    try:
        if path.stat().st_size > MAX_MANIFEST_BYTES:
            raise ValueError("it is far too long")
        document = json.loads(path.read_text(encoding="utf-8"))
        entries = {str(name): (str(e["sha256"]), int(e["size"])) for name, e in document["files"].items()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise BundleError(f"{path} is not a readable manifest.", REFETCH) from error
    for name in entries:
        _refuse_name(name, path)
    return entries


def _files_in(root: Path) -> Iterator[str]:
    """POSIX paths of all files below `root` but the manifest and what git and the Hub client keep for themselves."""
    for parent, folders, names in os.walk(root):
        relative = Path(parent).relative_to(root)
        if relative == Path():
            folders[:] = [name for name in folders if name not in FOREIGN]
            names = [name for name in names if name not in (*FOREIGN, MANIFEST)]
        links = [name for name in folders if (Path(parent) / name).is_symlink()]  # os.walk does not go into these
        for name in (*names, *links):
            yield (relative / name).as_posix()


def _refuse_name(name: str, where: Path) -> None:
    path = PurePosixPath(name)
    climbs = path.is_absolute() or ".." in path.parts or "\\" in name or "\0" in name or re.match(r"^[A-Za-z]:", name)
    if climbs or not path.parts or path.as_posix() != name or name == MANIFEST:
        raise BundleError(f"{where} names a path outside the bundle or not plainly written: {name!r}.", REFETCH)
    if path.suffix.lower() not in ALLOWED_SUFFIXES and path.name not in ALLOWED_NAMES:
        raise BundleError(
            f"{name} must not be in a bundle: weights are safetensors, and pickles and code are refused.",
            f"Remove it from {where.parent}.",
        )


def _checked_path(root: Path, name: str) -> Path:
    """The file's path, known to be an ordinary file inside the folder (or inside the Hub cache's blobs)."""
    _refuse_name(name, root / MANIFEST)
    path, real_root = root / name, root.resolve()
    real = path.resolve()
    homes = [real_root]
    if root.parent.name == "snapshots":  # the Hub cache: snapshots/COMMIT/file -> blobs/HASH of the same repository
        homes.append(real_root.parent.parent / "blobs")
    if not real.is_file() or not any(real.is_relative_to(home) for home in homes):
        raise BundleError(f"{path} is not an ordinary file inside the bundle.", REFETCH)
    if path.is_symlink() and len(homes) == 1:
        raise BundleError(f"{path} is a link; a bundle holds plain files only.", REFETCH)
    return path


def _check_file(root: Path, name: str, expected: tuple[str, int]) -> None:
    path = _checked_path(root, name)
    digest, size = expected
    found = path.stat().st_size
    if found != size:
        raise BundleError(f"{path} has {found} bytes, the manifest says {size}.", REFETCH)
    if sha256_of(path) != digest:
        raise BundleError(f"{path} was changed since the bundle was written (its sha256 differs).", REFETCH)


def _refuse_difference(root: Path, present: set[str], listed: set[str], *, missing_allowed: bool = False) -> None:
    missing, extra = sorted(listed - present), sorted(present - listed)
    if missing and not missing_allowed:
        raise BundleError(f"{root} is incomplete: {_some(missing)} missing.", REFETCH)
    for name in extra:
        _refuse_name(name, root / MANIFEST)  # says more of a pickle than that it is extra
    if extra:
        raise BundleError(f"{root} holds what its manifest does not name: {_some(extra)}.", "Remove it, or " + REFETCH)


def _matches(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatch(name, pattern + "*" if pattern.endswith("/") else pattern) for pattern in patterns)


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
