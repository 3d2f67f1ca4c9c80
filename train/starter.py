"""Makes the embedded starter bundle: the small model that the app opens on a bare machine.

    python -m train.starter milk10k=../shared/data/milk10k ham10000=PATH pad_ufes_20=PATH isic2017=PATH
    python -m train.starter                                   # drawn lesions alone

Trained on drawn lesions and the real sources named, so that a real photo gets a real answer. Its gallery holds drawn
lesions only: no dataset picture is ever published with it. Every step resumes; run the same command again to go on.
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dermnote.errors import BundleError
from dermnote.storage import replacing_file, replacing_folder

from . import build_index, evaluate, fit, generate_notes, prepare
from .runtime.console import print_summary, run

STARTER = Path(__file__).resolve().parent.parent / "dermnote" / "starter"
CONFIG = Path(__file__).resolve().parent / "configs" / "starter.yaml"
SIZE_LIMIT = 12_000_000  # bytes; the bundle travels with every clone and every Space
GALLERY = "The gallery holds drawn lesions only: pictures made by a program, not photographs of people."


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the whole way: prepare, notes, fit, evaluate on held-out and on fresh drawn lesions, build."""
    args = _parse(argv)
    work = Path(args.work)
    cases, notes = _prepare(work / "cases", [f"drawn={args.drawn},seed=0", *args.sources])
    fresh, fresh_notes = _prepare(work / "fresh", [f"drawn={args.fresh},seed=1"], external="drawn")
    inputs = ["--cases", str(cases), "--notes", str(notes)]
    run_folder = work / "run"
    resume = ["--resume"] if run_folder.exists() else []
    settings = [word for setting in args.set for word in ("--set", setting)]
    fit.main(["--config", args.config, *inputs, "--out", str(run_folder), *settings, *resume])
    fresh_inputs = ["--cases", str(fresh), "--notes", str(fresh_notes), "--splits", "external"]
    evaluate.main(["--run", str(run_folder), *fresh_inputs])
    drawn_metrics = _read_metrics(run_folder)
    evaluate.main(["--run", str(run_folder), *inputs])
    _merge(run_folder, drawn_metrics)
    with_gallery = ["--sources", "drawn", "--splits", "test", "--gallery", GALLERY, "--dtype", "float16"]
    bundle = work / "bundle"
    build_index.main(["--run", str(run_folder), *inputs, *with_gallery, "--out", str(bundle)])
    size = check_size(bundle)
    with replacing_folder(args.out) as aside:
        shutil.copytree(bundle, aside, dirs_exist_ok=True)
    print_summary("starter", {"bundle": args.out, "size": f"{size / 1e6:.1f} MB"}, "python app.py")
    return 0


def check_size(bundle: Path) -> int:
    """Bytes of a bundle; one too large to travel with the package is an error."""
    size = sum(path.stat().st_size for path in bundle.rglob("*") if path.is_file())
    if size > SIZE_LIMIT:
        raise BundleError(f"{bundle} is {size / 1e6:.1f} MB, over {SIZE_LIMIT / 1e6:.0f} MB.", "Use a smaller model.")
    return size


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m train.starter", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("sources", nargs="*", metavar="NAME=PATH", help="real sources to train on beside the drawn one")
    parser.add_argument("--drawn", type=int, default=2400, help="drawn lesions to train and test on (%(default)s)")
    parser.add_argument("--fresh", type=int, default=400, help="drawn lesions of another seed to test on (%(default)s)")
    parser.add_argument("--config", default=str(CONFIG), help="training settings (%(default)s)")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="override a training setting")
    parser.add_argument("--work", default="runs/starter", help="folder for cases, notes and the run (%(default)s)")
    parser.add_argument("--out", default=str(STARTER), help="the bundle (%(default)s)")
    return parser.parse_args(argv)


def _prepare(folder: Path, sources: list[str], external: str = "") -> tuple[Path, Path]:
    """Cases and their metadata notes in `folder` and beside it."""
    prepare.main([*sources, "--out", str(folder), *(["--external", external] if external else [])])
    notes = folder.with_name(f"{folder.name}_notes.jsonl")
    generate_notes.main(["--cases", str(folder), "--strategy", "m", "--out", str(notes)])
    return folder, notes


def _read_metrics(run_folder: Path) -> dict[str, Any]:
    metrics: dict[str, Any] = json.loads((run_folder / "metrics.json").read_text(encoding="utf-8"))
    return metrics


def _merge(run_folder: Path, fresh: dict[str, Any]) -> None:
    """Puts the figures on fresh drawn lesions beside those on held-out cases, as the external split."""
    metrics = _read_metrics(run_folder)
    metrics["splits"]["external"] = fresh["splits"]["external"]
    with replacing_file(run_folder / "metrics.json") as aside:
        aside.write_text(json.dumps(metrics, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    run(main)
