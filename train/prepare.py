"""Turns images and tables into one cases dataset: standard columns, cropped images, groups, splits.

    python -m train.prepare milk10k=../shared/data/milk10k ham10000=PATH my_folder=PATH --out cases/
    python -m train.prepare drawn=800,seed=1 --out cases/
    python -m train.prepare --list

A name is one of the known sources (--list prints them, with their licences and known issues), or any other name for a
folder of images with a metadata.csv, .jsonl or .parquet that has a file_name column.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO, get_args

from tqdm import tqdm

from dermnote.cores import available_cores
from dermnote.errors import CasesError
from dermnote.images.opening import MAX_PIXELS, Modality
from dermnote.storage import replacing_folder

from .data.authors_splits import apply_authors_splits
from .data.cases import read_summary
from .data.cases_writer import Entry, print_report, summarise, write_card, write_parquet, write_rejected
from .data.collection import SCHEMES, CollectedCases, classnames, collect_cases, fingerprint
from .data.image_preparation import PreparedImage, prepare_all
from .data.sources import LeftOut, RawCase, Rejected
from .data.sources.catalogue import listing
from .data.splits import Member, assign_splits
from .runtime.console import run

Ready = tuple[RawCase, PreparedImage, tuple[int, int]]  # case, image without bytes, (offset, length) of the bytes


def main(argv: Sequence[str] | None = None) -> int:
    """Run the step; return 0 if there is a cases folder at `--out` afterwards."""
    args = parse(argv)
    out, sources = Path(args.out), _by_name(args.sources)
    _check(out, sources, args)
    collected = collect_cases(sources, args.classes, args.modality)
    settings = {"classes": args.classes, "seed": args.seed, "external": sorted(set(args.external))}
    if args.modality:
        settings["modality"] = args.modality
    if args.authors_splits:
        settings["authors_splits"] = apply_authors_splits(collected, Path(args.authors_splits))
    digest = fingerprint(collected, {**settings, "sources": sources, "max_pixels": args.max_pixels})
    if not args.force and _is_current(out, digest):
        print_report(read_summary(out), out, note="made from the same inputs before, nothing to do (or --force)")
        return 0
    started = time.monotonic()
    with replacing_folder(out) as folder:
        summary = _write(folder, collected, sources, args) | settings | {"fingerprint": digest}
        text = json.dumps(summary, indent=2, ensure_ascii=False)
        (folder / "summary.json").write_text(text + "\n", encoding="utf-8")
        write_card(folder / "README.md", summary)
    print_report(summary, out, seconds=time.monotonic() - started)
    return 0


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    shape = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(f"python -m {__package__}.prepare", description=__doc__, formatter_class=shape)
    add = parser.add_argument
    add("sources", nargs="+", metavar="NAME=PATH", help="a source and its folder; for drawn: COUNT[,seed=S]")
    add("--out", required=True, help="the cases folder to write; replaced as a whole, or not at all")
    add("--classes", choices=SCHEMES, default="eight", help="eight, the paper-era five, or the folder's own labels")
    add("--external", action="append", default=[], metavar="NAME", help="keep this source whole, as external test set")
    add("--modality", choices=get_args(Modality), help="of your own images, if no table has it (assumed: clinical)")
    add("--authors-splits", metavar="FOLDER", help="use the split files of the paper's authors")
    add("--seed", type=int, default=0, help="chooses the split (default: 0)")
    add("--workers", type=int, default=available_cores(), help="processes (default: one a core)")
    add("--max-pixels", type=int, default=MAX_PIXELS, help="refuse larger images (default: %(default)s)")
    add("--force", action="store_true", help="make it again although nothing changed")
    add("--list", action=_List, nargs=0, help="print every known source with its known issues, and stop")
    return parser.parse_args(argv)


class _List(argparse.Action):
    """Prints the sources and stops, even if required arguments are missing."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        print(listing())
        parser.exit()


def _by_name(specs: Sequence[str]) -> dict[str, str]:
    sources: dict[str, str] = {}
    for spec in specs:
        name, equals, where = spec.partition("=")
        if not equals or not where or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", name):
            raise CasesError(f"'{spec}' is not NAME=PATH.", "For example milk10k=../data/milk10k.")
        if name in sources:
            raise CasesError(f"The source {name} is given twice.", "Give the second folder a name of its own.")
        sources[name] = where
    return sources


def _check(out: Path, sources: dict[str, str], args: argparse.Namespace) -> None:
    """Refuse impossible commands before any work, above all before replacing the user's own folder."""
    if out.exists() and not out.is_dir():
        raise CasesError(f"{out} is a file.", "Choose a folder for --out.")
    if out.is_dir() and any(out.iterdir()) and not (out / "summary.json").is_file():
        raise CasesError(f"{out} is not empty and is no cases folder.", "Choose another folder for --out.")
    for name, where in sources.items():
        if name == "drawn":
            continue
        if not Path(where).is_dir():
            hint = f"Known sources: python -m {__package__}.prepare --list."
            raise CasesError(f"The folder of {name}, {where}, is not there.", hint)
        if Path(where).resolve().is_relative_to(out.resolve()):
            raise CasesError(f"--out {out} would replace the images of {name}.", "Choose another folder for --out.")
    for name in args.external:
        if name not in sources:
            raise CasesError(f"--external {name} is not among the sources.", f"They are: {', '.join(sources)}.")
    if args.workers < 1 or args.max_pixels < 1:
        raise CasesError("--workers and --max-pixels must be at least 1.")


def _is_current(out: Path, digest: str) -> bool:
    """Return whether `out` was made from the same inputs and is complete."""
    if not (out / "summary.json").is_file():
        return False
    summary = read_summary(out)
    sizes = {out / name: file["bytes"] for name, file in summary.get("files", {}).items()}
    complete = all(path.is_file() and path.stat().st_size == size for path, size in sizes.items())
    return complete and summary.get("fingerprint") == digest


def _write(
    folder: Path, collected: CollectedCases, sources: dict[str, str], args: argparse.Namespace
) -> dict[str, Any]:
    """Write everything but the summary and the card; return the summary."""
    started = time.monotonic()
    with tempfile.TemporaryFile(dir=folder) as spool:  # images wait on disk until their split is known
        ready = _prepare_images(collected, sources, spool, args)
        speed = len(collected.cases) / max(time.monotonic() - started, 1e-9)
        names = classnames(args.classes, (case.label or "" for case, _, _ in ready))
        entries = _assign(ready, names, collected, args)
        if not entries:
            reasons = [*(each.reason for each in collected.rejected), *(each.reason for each in collected.left_out)]
            hint = f"The first of {len(reasons)} reasons: {reasons[0]}." if reasons else "The tables are empty."
            raise CasesError("No case is left.", hint)
        files = write_parquet(folder, entries, spool)
    write_rejected(folder / "rejected.csv", collected.rejected)
    return summarise(collected, entries, names) | {"files": files, "pictures_per_second": round(speed, 1)}


def _prepare_images(
    collected: CollectedCases, sources: dict[str, str], spool: BinaryIO, args: argparse.Namespace
) -> list[Ready]:
    """Return every case whose image could be prepared; the others join the rejected."""
    ready: list[Ready] = []
    results = prepare_all(collected.cases, workers=args.workers, max_pixels=args.max_pixels)
    bar = tqdm(results, total=len(collected.cases), desc="images", unit="img", mininterval=0.5)
    for case, image in zip(collected.cases, bar, strict=True):
        if image.error:
            collected.rejected.append(Rejected(case.source, _file_of(case, sources), case.row, image.error))
        else:
            place = (spool.tell(), len(image.jpeg))
            spool.write(image.jpeg)
            ready.append((case, replace(image, jpeg=b""), place))
    return ready


def _file_of(case: RawCase, sources: dict[str, str]) -> str:
    """Return a case's file as its table would name it: relative to the source's folder."""
    if not isinstance(case.picture, Path):
        return case.case_id
    return os.path.relpath(case.picture.resolve(), Path(sources[case.source]).resolve())


def _assign(
    ready: Sequence[Ready], names: Sequence[str], collected: CollectedCases, args: argparse.Namespace
) -> list[Entry]:
    """Return the cases with a split; the others join those left out."""
    members = [
        Member(
            source=case.source,
            group=case.group,
            label=case.label or "",
            contents=tuple(filter(None, (image.pixels_sha256, image.file_sha256, case.isic_id))),
            split=case.split,
        )
        for case, image, _ in ready
    ]
    entries = []
    assignments = assign_splits(members, seed=args.seed, external=args.external)
    for (case, image, place), assigned in zip(ready, assignments, strict=True):
        if assigned.split is None:
            collected.left_out.append(LeftOut(case.case_id, case.source, assigned.reason))
            continue
        class_id = names.index(case.label or "")
        entries.append(Entry(case, image, place, class_id, assigned.split, assigned.group))
    return entries


if __name__ == "__main__":
    run(main)
