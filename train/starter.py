"""Build the embedded starter bundle: the small model that the app opens by default.

    python -m train.starter milk10k=../shared/data/milk10k ham10000=PATH pad_ufes_20=PATH isic2017=PATH
    python -m train.starter                                   # synthetic lesions alone

It is trained on synthetic lesions and the real sources given, so that it also applies to real images. Its gallery holds
synthetic lesions only: no image of a dataset is published with it. Every step resumes; run the same command again to
continue.
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import dermnote
from dermnote.errors import BundleError
from dermnote.storage import replacing_file, replacing_folder

from . import build_index, evaluate, fit, generate_notes, prepare
from .runtime.console import print_summary, run
from .training.train_config import CONFIGS

STARTER = Path(dermnote.__file__).resolve().parent / "starter"
CONFIG = CONFIGS / "starter.yaml"
SIZE_LIMIT = 12_000_000  # bytes; the bundle is part of every clone and every Space
GALLERY = "The gallery holds drawn lesions only: pictures made by a program, not photographs of people."


def main(argv: Sequence[str] | None = None) -> int:
    """Run all steps: prepare, notes, fit, evaluate on held-out cases and on new synthetic lesions, build."""
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
    fresh_metrics = _read_metrics(run_folder)
    evaluate.main(["--run", str(run_folder), *inputs])
    _merge(run_folder, fresh_metrics)
    with_gallery = ["--sources", "drawn", "--splits", "test", "--gallery", GALLERY, "--dtype", "float16"]
    bundle = work / "bundle"
    build_index.main(["--run", str(run_folder), *inputs, *with_gallery, "--out", str(bundle)])
    size = check_size(bundle)
    with replacing_folder(args.out) as aside:
        shutil.copytree(bundle, aside, dirs_exist_ok=True)
    print_summary("starter", {"bundle": args.out, "size": f"{size / 1e6:.1f} MB"}, "python app.py")
    return 0


def check_size(bundle: Path) -> int:
    """Return the size of a bundle in bytes; raise BundleError if it is too large for the package."""
    size = sum(path.stat().st_size for path in bundle.rglob("*") if path.is_file())
    if size > SIZE_LIMIT:
        raise BundleError(f"{bundle} is {size / 1e6:.1f} MB, over {SIZE_LIMIT / 1e6:.0f} MB.", "Use a smaller model.")
    return size


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog=f"python -m {__package__}.starter",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("sources", nargs="*", metavar="NAME=PATH", help="real sources to train on as well")
    parser.add_argument("--drawn", type=int, default=2400, help="synthetic lesions to train and test on (%(default)s)")
    parser.add_argument("--fresh", type=int, default=400, help="new synthetic lesions to test on (%(default)s)")
    parser.add_argument("--config", default=str(CONFIG), help="training settings (%(default)s)")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="override a training setting")
    parser.add_argument("--work", default="runs/starter", help="folder for cases, notes and the run (%(default)s)")
    parser.add_argument("--out", default=str(STARTER), help="the bundle (%(default)s)")
    return parser.parse_args(argv)


def _prepare(folder: Path, sources: list[str], external: str = "") -> tuple[Path, Path]:
    """Write cases to `folder`, and their metadata notes beside it; return both paths."""
    prepare.main([*sources, "--out", str(folder), *(["--external", external] if external else [])])
    notes = folder.with_name(f"{folder.name}_notes.jsonl")
    generate_notes.main(["--cases", str(folder), "--strategy", "m", "--out", str(notes)])
    return folder, notes


def _read_metrics(run_folder: Path) -> dict[str, Any]:
    metrics: dict[str, Any] = json.loads((run_folder / "metrics.json").read_text(encoding="utf-8"))
    return metrics


def _merge(run_folder: Path, fresh: dict[str, Any]) -> None:
    """Add the metrics on new synthetic lesions to those on held-out cases, as the external split."""
    metrics = _read_metrics(run_folder)
    metrics["splits"]["external"] = fresh["splits"]["external"]
    with replacing_file(run_folder / "metrics.json") as aside:
        aside.write_text(json.dumps(metrics, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    run(main)
