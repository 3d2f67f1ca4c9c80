"""Turns pictures and tables into one cases dataset: standard columns, cropped pictures, groups, splits.

    python -m train.prepare milk10k=../shared/data/milk10k ham10000=PATH my_folder=PATH --out cases/
    python -m train.prepare drawn=800,seed=1 --out cases/
    python -m train.prepare --list

A name is one of the known sources (--list prints them, with their licences and known faults), or any other name for a
folder of pictures with a metadata.csv, .jsonl or .parquet that has a file_name column.
"""

from __future__ import annotations

import argparse
import os
import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

from tqdm import tqdm

from dermnote.cores import available_cores
from dermnote.errors import CasesError
from dermnote.images.opening import MAX_PIXELS, Modality
from dermnote.storage import replacing_folder

from .data.authors_splits import apply_authors_splits
from .data.cases import read_summary
from .data.cases_folder import Entry, Spool, write_card, write_parquet, write_rejected, write_summary
from .data.cases_summary import print_report, summarise
from .data.class_mapping import SCHEMES, classnames
from .data.gather import Gathered, gather
from .data.image_pool import Prepared, prepare_all
from .data.inputs_fingerprint import fingerprint
from .data.sources.listing import listing
from .data.sources.raw import LeftOut, RawCase, Rejected
from .data.splits import Assignment, Member, assign_splits
from .runtime.console import run

Ready = tuple[RawCase, Prepared, tuple[int, int]]  # a case, its picture without the bytes, and where those lie


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the step; 0 if a cases folder stands at `--out` afterwards."""
    args = parse(argv)
    out, sources = Path(args.out), _by_name(args.sources)
    _refuse(out, sources, args)
    gathered = gather(sources, args.classes, args.modality)
    settings = {"classes": args.classes, "seed": args.seed, "external": sorted(set(args.external))}
    if args.modality:
        settings["modality"] = args.modality
    if args.authors_splits:
        settings["authors_splits"] = apply_authors_splits(gathered, Path(args.authors_splits))
    mark = fingerprint(gathered, {**settings, "sources": sources, "max_pixels": args.max_pixels})
    if not args.force and _stands(out, mark):
        print_report(read_summary(out), out, note="made from these very inputs before, nothing to do (or --force)")
        return 0
    started = time.monotonic()
    with replacing_folder(out) as folder:
        summary = _make(folder, gathered, args) | settings | {"fingerprint": mark}
        write_summary(folder / "summary.json", summary)
        write_card(folder / "README.md", summary)
    print_report(summary, out, seconds=time.monotonic() - started)
    return 0


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    shape = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser("python -m train.prepare", description=__doc__, formatter_class=shape)
    add = parser.add_argument
    add("sources", nargs="+", metavar="NAME=PATH", help="a source and its folder; for drawn: COUNT[,seed=S]")
    add("--out", required=True, help="the cases folder to write; replaced as a whole, or not at all")
    add("--classes", choices=SCHEMES, default="eight", help="eight, the paper-era five, or the folder's own labels")
    add("--external", action="append", default=[], metavar="NAME", help="keep this source whole, as external test set")
    add(
        "--modality",
        choices=get_args(Modality),
        help="of your own pictures, where no table says it (assumed: clinical)",
    )
    add("--authors-splits", metavar="FOLDER", help="use the split files of the paper's authors")
    add("--seed", type=int, default=0, help="chooses the split (default: 0)")
    add("--workers", type=int, default=available_cores(), help="processes (default: one a core)")
    add("--max-pixels", type=int, default=MAX_PIXELS, help="refuse larger pictures (default: %(default)s)")
    add("--force", action="store_true", help="make it again although nothing changed")
    add("--list", action=_List, nargs=0, help="print every known source and what to mind about it, and stop")
    return parser.parse_args(argv)


class _List(argparse.Action):
    """Prints the sources and stops, whatever else the command line lacks."""

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


def _refuse(out: Path, sources: dict[str, str], args: argparse.Namespace) -> None:
    """Stops before any work where the command cannot be meant, above all before replacing somebody's own folder."""
    if out.exists() and not out.is_dir():
        raise CasesError(f"{out} is a file.", "Choose a folder for --out.")
    if out.is_dir() and any(out.iterdir()) and not (out / "summary.json").is_file():
        raise CasesError(f"{out} is not empty and is no cases folder.", "Choose another folder for --out.")
    for name, where in sources.items():
        if name == "drawn":
            continue
        if not Path(where).is_dir():
            raise CasesError(
                f"The folder of {name}, {where}, is not there.", "Known sources: python -m train.prepare --list."
            )
        if Path(where).resolve().is_relative_to(out.resolve()):
            raise CasesError(f"--out {out} would replace the pictures of {name}.", "Choose another folder for --out.")
    for name in args.external:
        if name not in sources:
            raise CasesError(f"--external {name} is not among the sources.", f"They are: {', '.join(sources)}.")
    if args.workers < 1 or args.max_pixels < 1:
        raise CasesError("--workers and --max-pixels must be at least 1.")


def _stands(out: Path, mark: str) -> bool:
    """Whether `out` was made from the same inputs and is still whole."""
    if not (out / "summary.json").is_file():
        return False
    summary = read_summary(out)
    files = summary.get("files", {})
    whole = all((out / name).is_file() and (out / name).stat().st_size == file["bytes"] for name, file in files.items())
    return whole and summary.get("fingerprint") == mark


def _make(folder: Path, gathered: Gathered, args: argparse.Namespace) -> dict[str, Any]:
    """Writes everything but the summary and the card, which tell of it."""
    started = time.monotonic()
    with Spool(folder / ".spool") as spool:
        ready = _prepare_pictures(gathered, spool, args)
        speed = len(gathered.cases) / max(time.monotonic() - started, 1e-9)
        names = classnames(args.classes, (case.label or "" for case, _, _ in ready))
        entries = _entries(ready, _assign(ready, args), names, gathered)
        if not entries:
            raise CasesError("No case is left.", _why(gathered))
        files = write_parquet(folder, entries, spool)
    write_rejected(folder / "rejected.csv", gathered.rejected)
    return summarise(gathered, entries, names) | {"files": files, "pictures_per_second": round(speed, 1)}


def _prepare_pictures(gathered: Gathered, spool: Spool, args: argparse.Namespace) -> list[Ready]:
    """Every picture that could be prepared; the others join the rejected."""
    ready: list[Ready] = []
    folders = _by_name(args.sources)
    results = prepare_all(gathered.cases, workers=args.workers, max_pixels=args.max_pixels)
    bar = tqdm(results, total=len(gathered.cases), desc="pictures", unit="picture", mininterval=0.5)
    for case, prepared in zip(gathered.cases, bar, strict=True):
        if prepared.error:
            gathered.rejected.append(Rejected(case.source, _file_of(case, folders), case.row, prepared.error))
        else:
            ready.append((case, prepared.without_jpeg(), spool.append(prepared.jpeg)))
    return ready


def _file_of(case: RawCase, folders: dict[str, str]) -> str:
    """A case's file as its table would name it: from the source's folder on."""
    if not isinstance(case.picture, Path):
        return case.case_id
    return os.path.relpath(case.picture.resolve(), Path(folders[case.source]).resolve())


def _assign(ready: Sequence[Ready], args: argparse.Namespace) -> list[Assignment]:
    members = [
        Member(
            source=case.source,
            group=case.group,
            label=case.label or "",
            contents=tuple(filter(None, (prepared.pixels_sha256, prepared.file_sha256, case.isic_id))),
            split=case.split,
        )
        for case, prepared, _ in ready
    ]
    return assign_splits(members, seed=args.seed, external=args.external)


def _entries(
    ready: Sequence[Ready], assignments: Sequence[Assignment], names: Sequence[str], gathered: Gathered
) -> list[Entry]:
    """The cases with a split; the others join those left out."""
    entries = []
    for (case, prepared, (offset, length)), where in zip(ready, assignments, strict=True):
        if where.split is None:
            gathered.left_out.append(LeftOut(case.case_id, case.source, where.reason))
            continue
        class_id, digest = names.index(case.label or ""), prepared.pixels_sha256
        entries.append(Entry(case, class_id, where.split, where.group, prepared.crop, digest, offset, length))
    return entries


def _why(gathered: Gathered) -> str:
    reasons = [each.reason for each in (*gathered.rejected, *gathered.left_out)]
    return f"The first of {len(reasons)} reasons: {reasons[0]}." if reasons else "The tables are empty."


if __name__ == "__main__":
    run(main)
