"""Makes a bundle from a run: weights, index over the published cases, figures, model card, manifest.

    python -m train.build_index --run runs/first --cases cases/ --notes notes.jsonl --out bundle/
    accelerate launch -m train.build_index ...       # the same bundle, its pictures shared by several processes

The gallery holds the training and validation cases by default (`--splits`), so that the held-out ones stay held out.
The weights are written first and loaded back, and every vector of the index is made by exactly those.
"""

from __future__ import annotations

import argparse
import json
import shlex
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from dermnote.config import DermNoteConfig
from dermnote.errors import BundleError, CasesError, ConfigError
from dermnote.hub.manifest import verify_manifest, write_manifest
from dermnote.models.joint_model import DermNoteModel
from dermnote.models.novelty import KNOWN, KnownPictures
from dermnote.notes.schema import notes_by_case
from dermnote.storage import replacing_folder

from .data.cases import SPLITS, Cases
from .evaluation.report_files import write_markdown_report
from .publishing import gallery
from .publishing.card import licence_of, render_card
from .publishing.gallery import Gallery
from .runtime.console import print_summary, run
from .runtime.launch import launched
from .training.run_folder import Run, load_run

DEFAULT_SPLITS = ("train", "validation")
DTYPES = ("float32", "float16")


def main(argv: Sequence[str] | None = None) -> int:
    """Builds the bundle; see the module's description."""
    args = _parse(argv)
    with launched() as processes:
        trained = load_run(args.run)
        metrics = None if args.without_metrics else read_metrics(trained)
        cases = Cases.read(args.cases, splits=args.splits, sources=args.sources)
        if cases.classnames != trained.config.classnames:
            raise CasesError(f"{args.cases} has other classes than the model of {args.run}.", "Use the cases it saw.")
        chosen = gallery.choose(cases, notes_by_case(args.notes) if args.notes else {}, trained.config)
        config = _published_config(trained, chosen, metrics, args)
        if not processes.main:
            gallery.build(chosen, trained.model, config, None, args.batch_size, processes.device)
            return 0
        with replacing_folder(args.out) as aside:
            config = trained.model.save_pretrained(aside, config, None if args.dtype == "float32" else args.dtype)
            model, config = DermNoteModel.from_pretrained(aside)  # what is published, not what was trained
            scratch = aside / ".thumbnails.arrow"
            index = gallery.build(chosen, model, config, scratch, args.batch_size, processes.device)
            assert index is not None  # the main process's
            index.save(aside / "index")
            del index  # it reads the thumbnails from the file
            scratch.unlink()
            plots: tuple[str, ...] = ()
            if metrics is not None:
                if known := KnownPictures.load(trained.folder, trained.config.fingerprint):
                    known.save(aside / KNOWN, config.fingerprint)
                words = json.dumps(metrics, indent=2, ensure_ascii=False)
                (aside / "metrics.json").write_text(words + "\n", encoding="utf-8")
                plots = write_markdown_report(metrics, aside)
            card = render_card(aside, config, cases.summary, chosen.cases.table, metrics, plots)
            (aside / "README.md").write_text(card, encoding="utf-8")
            files = write_manifest(aside)
        verify_manifest(args.out)
        _report(args, config, chosen, sum(int(each["size"]) for each in files.values()))
    return 0


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m train.build_index", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--run", required=True, type=Path, help="folder of the training run")
    parser.add_argument("--cases", required=True, help="folder that train.prepare wrote, or a Hub dataset: org/name")
    parser.add_argument("--notes", type=Path, help="notes.jsonl; needed if the model has a text branch")
    parser.add_argument("--out", required=True, type=Path, help="bundle folder to write (replaced if it is there)")
    parser.add_argument("--splits", nargs="+", choices=SPLITS, default=list(DEFAULT_SPLITS), help="splits to publish")
    parser.add_argument("--sources", nargs="+", help="sources to publish; default: all of the cases folder")
    parser.add_argument("--gallery", help="one sentence on what the index holds, shown wherever hits are shown")
    parser.add_argument("--dtype", choices=DTYPES, default="float32", help="float16 halves the files")
    parser.add_argument("--licence", help="licence of the weights; default: the strictest of the sources'")
    parser.add_argument("--batch-size", type=int, default=32, help="pictures in one pass")
    parser.add_argument("--without-metrics", action="store_true", help="publish a model that was not evaluated")
    args = parser.parse_args(argv)
    if args.batch_size < 1:
        raise ConfigError(f"--batch-size must be at least 1, not {args.batch_size}.")
    return args


def read_metrics(trained: Run) -> dict[str, Any]:
    """The run's metrics.json, without the folders of this machine: they are nobody's business on the Hub.

    Raises:
        BundleError: Missing, unreadable, or measured on other weights than the run's best.
    """
    path = trained.folder / "metrics.json"
    again = f"Run `python -m train.evaluate --run {trained.folder}` first, or pass --without-metrics."
    try:
        metrics: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        measured = metrics["fingerprint"]
        if "quick" not in metrics:
            raise BundleError(f"{path} was written by an older DermNote, and lacks figures that the card shows.", again)
    except FileNotFoundError as error:
        raise BundleError(f"{path} is missing, so the card would have no figures.", again) from error
    except (ValueError, KeyError, TypeError) as error:
        raise BundleError(f"{path} is not a readable metrics.json.", again) from error
    if measured != trained.config.fingerprint:
        raise BundleError(f"{path} was measured on other weights than the run's best.", again)
    for name in ("run", "cases", "notes"):
        metrics[name] = _bare(metrics[name]) if metrics.get(name) else None
    metrics["command"] = shlex.join(_bare(word) for word in shlex.split(metrics["command"]))
    return metrics


def _bare(word: str) -> str:
    """An absolute path's last name; anything else as it is."""
    return Path(word).name if Path(word).is_absolute() else word


def _published_config(
    trained: Run, chosen: Gallery, metrics: dict[str, Any] | None, args: argparse.Namespace
) -> DermNoteConfig:
    summary = chosen.cases.summary
    shown = tuple(dict.fromkeys(chosen.cases.table["source"]))
    sources = trained.config.sources or tuple(summary["sources"])
    licence = args.licence or licence_of({*sources, *shown}, summary)
    return replace(trained.config, sources=sources, licence=licence, gallery=args.gallery or _sentence(chosen.cases))


def _sentence(cases: Cases) -> str:
    counts = Counter(cases.table["source"])
    listed = ", ".join(f"{count} of {name}" for name, count in counts.most_common())
    splits = " and ".join(split for split in SPLITS if split in set(cases.table["split"]))
    return f"The gallery holds {len(cases)} cases ({listed}) of the splits {splits}."


def _report(args: argparse.Namespace, config: DermNoteConfig, chosen: Gallery, size: int) -> None:
    rows: dict[str, Any] = {
        "bundle": args.out,
        "size": f"{size / 1e6:.1f} MB, {args.dtype}",
        "gallery": config.gallery,
        "left out": f"{chosen.without_note} cases without a note",
        "licence": config.licence,
        "fingerprint": config.fingerprint[:16],
        "for": "research use only, never a diagnosis",
    }
    print_summary("Bundle written.", rows, f"python -m train.push_to_hub {args.out} --repo-id org/name --dry-run")


if __name__ == "__main__":
    run(main)
