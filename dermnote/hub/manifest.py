"""Bundle manifest: size and sha256 of every file, so that a missing, added or changed file is never read."""

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

# Data and text only: pickles (.bin, .pt, .pkl) and code (.py) run when loaded.
ALLOWED_SUFFIXES = (".json", ".md", ".txt", ".safetensors", ".model", ".faiss", ".parquet", ".jpg", ".png")
ALLOWED_NAMES = ("LICENSE", "NOTICE")
# Added by git and the Hub client; never read by DermNote.
IGNORED = (".git", ".gitattributes", ".cache")


def is_bundle(folder: str | Path) -> bool:
    """Return True if the folder has a manifest."""
    return (Path(folder) / MANIFEST).is_file()


def write_manifest(folder: str | Path) -> dict[str, dict[str, str | int]]:
    """Write `manifest.json` for all files of a finished bundle; call it last.

    Returns:
        "sha256" (hex) and "size" (bytes) by POSIX path relative to the folder.

    Raises:
        BundleError: A file is a link or of a forbidden kind.
    """
    root = Path(folder)
    files: dict[str, dict[str, str | int]] = {}
    for name in sorted(_files_in(root)):
        path = _checked_path(root, name)
        files[name] = {"sha256": sha256_of(path), "size": path.stat().st_size}
    with replacing_file(root / MANIFEST) as temporary:
        temporary.write_text(json.dumps({"format": MANIFEST_FORMAT, "files": files}, indent=1) + "\n", encoding="utf-8")
    return files


def verify_manifest(folder: str | Path, patterns: Sequence[str] | None = None, *, missing_allowed: bool = True) -> None:
    """Check a bundle against its manifest before any of it is read: every file, none missing, none extra.

    With `patterns` (as in `huggingface_hub`'s `allow_patterns`) only matching files are checked, which may be absent
    if `missing_allowed`.

    Raises:
        BundleError: No manifest, or a file is missing, extra, changed, a link, or named outside the folder.
    """
    root = Path(folder)
    listed = read_manifest(root)
    present = set(_files_in(root))
    if patterns is None:
        _check_names(root, present, set(listed))
        checked = set(listed)
    else:
        checked = {name for name in present if _matches(name, patterns)}
        expected = set(listed) if missing_allowed else {name for name in listed if _matches(name, patterns)}
        _check_names(root, checked, expected, missing_allowed=missing_allowed)
    for name in sorted(checked):
        path, (digest, size) = _checked_path(root, name), listed[name]
        if path.stat().st_size != size:
            raise BundleError(f"{path} has {path.stat().st_size} bytes, the manifest lists {size}.", REFETCH)
        if sha256_of(path) != digest:
            raise BundleError(f"{path} was changed since the bundle was written (its sha256 differs).", REFETCH)


def read_manifest(folder: str | Path) -> dict[str, tuple[str, int]]:
    """Return (sha256, size in bytes) by path; every path is checked to be inside the folder."""
    path = Path(folder) / MANIFEST
    if not path.is_file():
        raise BundleError(f"{folder} is not a DermNote bundle: it has no {MANIFEST}.", "Name a folder that has one.")
    try:
        if path.stat().st_size > MAX_MANIFEST_BYTES:
            raise ValueError("too long")
        document = json.loads(path.read_text(encoding="utf-8"))
        entries = {str(name): (str(e["sha256"]), int(e["size"])) for name, e in document["files"].items()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise BundleError(f"{path} is not a readable manifest.", REFETCH) from error
    for name in entries:
        _check_name(name, path)
    return entries


def _files_in(root: Path) -> Iterator[str]:
    """Yield POSIX paths of all files below `root`, without the manifest and the files in `IGNORED`."""
    for parent, folders, names in os.walk(root):
        relative = Path(parent).relative_to(root)
        if relative == Path():
            folders[:] = [name for name in folders if name not in IGNORED]
            names = [name for name in names if name not in (*IGNORED, MANIFEST)]
        links = [name for name in folders if (Path(parent) / name).is_symlink()]  # os.walk does not go into these
        for name in (*names, *links):
            yield (relative / name).as_posix()


def _check_name(name: str, where: Path) -> None:
    path = PurePosixPath(name)
    outside = path.is_absolute() or ".." in path.parts or "\\" in name or "\0" in name or re.match(r"^[A-Za-z]:", name)
    if outside or not path.parts or path.as_posix() != name or name == MANIFEST:
        raise BundleError(f"{where} has a path outside the bundle or not in normal form: {name!r}.", REFETCH)
    if path.suffix.lower() not in ALLOWED_SUFFIXES and path.name not in ALLOWED_NAMES:
        raise BundleError(
            f"{name} must not be in a bundle: weights are safetensors, and pickles and code are refused.",
            f"Remove it from {where.parent}.",
        )


def _checked_path(root: Path, name: str) -> Path:
    """Return the path of a regular file inside the folder (or inside the Hub cache's blobs)."""
    _check_name(name, root / MANIFEST)
    path, real_root = root / name, root.resolve()
    real = path.resolve()
    parents = [real_root]
    if root.parent.name == "snapshots":  # the Hub cache: snapshots/COMMIT/file -> blobs/HASH of the same repository
        parents.append(real_root.parent.parent / "blobs")
    if not real.is_file() or not any(real.is_relative_to(parent) for parent in parents):
        raise BundleError(f"{path} is not a regular file inside the bundle.", REFETCH)
    if path.is_symlink() and len(parents) == 1:
        raise BundleError(f"{path} is a link; a bundle holds regular files only.", REFETCH)
    return path


def _check_names(root: Path, present: set[str], listed: set[str], *, missing_allowed: bool = False) -> None:
    missing, extra = sorted(listed - present), sorted(present - listed)
    if missing and not missing_allowed:
        raise BundleError(f"{root} is incomplete: {_some(missing)} missing.", REFETCH)
    for name in extra:
        _check_name(name, root / MANIFEST)  # a more specific error for pickles and code
    if extra:
        raise BundleError(
            f"{root} has files that its manifest does not list: {_some(extra)}.", "Remove them, or " + REFETCH
        )


def _matches(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatch(name, pattern + "*" if pattern.endswith("/") else pattern) for pattern in patterns)


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
