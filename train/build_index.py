"""Makes a bundle from a run: weights, index over the published cases, metrics, model card, manifest.

    python -m train.build_index --run runs/first --cases cases/ --notes notes.jsonl --out bundle/
    accelerate launch -m train.build_index ...       # the same bundle, encoded by several processes

The gallery holds the training and validation cases by default (`--splits`), so that the test cases stay held out.
The weights are written first and loaded back, and exactly these make every vector of the index.
"""

from __future__ import annotations

import argparse
import json
import shlex
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from dermnote.config import DermNoteConfig
from dermnote.errors import BundleError, CasesError, ConfigError, NotesError
from dermnote.hub.manifest import verify_manifest, write_manifest
from dermnote.index.case_index import CaseIndex
from dermnote.models.joint_model import DermNoteModel
from dermnote.models.novelty import KNOWN, KnownImages
from dermnote.notes.schema import notes_by_case
from dermnote.storage import replacing_folder

from .data.cases import SPLITS, Cases
from .data.thumbnails import make_thumbnails
from .evaluation.report_files import write_markdown_report
from .publishing.card import licence_of, render_card
from .runtime.console import print_summary, run
from .runtime.distributed import take_main_weights
from .runtime.launch import launched
from .training.embedding import embed_cases
from .training.run_folder import Run, load_run

DEFAULT_SPLITS = ("train", "validation")
DTYPES = ("float32", "float16")


@dataclass(frozen=True)
class Gallery:
    """Cases to publish, each with its note as written ("" for a case without).

    `without_note` cases were left out, because the model has a text branch and they have no note.
    """

    cases: Cases
    notes: tuple[str, ...]
    without_note: int


def main(argv: Sequence[str] | None = None) -> int:
    """Build the bundle; see the module's description."""
    args = _parse(argv)
    with launched() as processes:
        trained = load_run(args.run)
        metrics = None if args.without_metrics else read_metrics(trained)
        cases = Cases.read(args.cases, splits=args.splits, sources=args.sources)
        if cases.classnames != trained.config.classnames:
            raise CasesError(f"{args.cases} has other classes than the model of {args.run}.", "Use the cases it saw.")
        gallery = select_gallery(cases, notes_by_case(args.notes) if args.notes else {}, trained.config)
        config = _published_config(trained, gallery, metrics, args)
        if not processes.main:
            _build_index(gallery, trained.model, config, None, args.batch_size, processes.device)
            return 0
        with replacing_folder(args.out) as folder:
            config = trained.model.save_pretrained(folder, config, None if args.dtype == "float32" else args.dtype)
            model, config = DermNoteModel.from_pretrained(folder)  # the published weights, not the trained ones
            scratch = folder / ".thumbnails.arrow"
            index = _build_index(gallery, model, config, scratch, args.batch_size, processes.device)
            assert index is not None  # the main process's
            index.save(folder / "index")
            del index  # it maps the thumbnails file
            scratch.unlink()
            plots: tuple[str, ...] = ()
            if metrics is not None:
                if known := KnownImages.load(trained.folder, trained.config.fingerprint):
                    known.save(folder / KNOWN, config.fingerprint)
                text = json.dumps(metrics, indent=2, ensure_ascii=False)
                (folder / "metrics.json").write_text(text + "\n", encoding="utf-8")
                plots = write_markdown_report(metrics, folder)
            card = render_card(folder, config, cases.summary, gallery.cases.table, metrics, plots)
            (folder / "README.md").write_text(card, encoding="utf-8")
            files = write_manifest(folder)
        verify_manifest(args.out)
        _report(args, config, gallery, sum(int(each["size"]) for each in files.values()))
    return 0


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    description = (__doc__ or "").split("\n")[0]
    parser = argparse.ArgumentParser(prog=f"python -m {__package__}.build_index", description=description)
    parser.add_argument("--run", required=True, type=Path, help="folder of the training run")
    parser.add_argument("--cases", required=True, help="folder that train.prepare wrote, or a Hub dataset: org/name")
    parser.add_argument("--notes", type=Path, help="notes.jsonl; required if the model has a text branch")
    parser.add_argument("--out", required=True, type=Path, help="bundle folder to write; an existing one is replaced")
    parser.add_argument("--splits", nargs="+", choices=SPLITS, default=list(DEFAULT_SPLITS), help="splits to publish")
    parser.add_argument("--sources", nargs="+", help="sources to publish; default: all of the cases folder")
    parser.add_argument("--gallery", help="one sentence on the contents of the index, shown wherever hits are shown")
    parser.add_argument("--dtype", choices=DTYPES, default="float32", help="float16 halves the files")
    parser.add_argument("--licence", help="licence of the weights; default: the strictest of the sources'")
    parser.add_argument("--batch-size", type=int, default=32, help="images in one pass")
    parser.add_argument("--without-metrics", action="store_true", help="publish a model that was not evaluated")
    args = parser.parse_args(argv)
    if args.batch_size < 1:
        raise ConfigError(f"--batch-size must be at least 1, not {args.batch_size}.")
    return args


def read_metrics(trained: Run) -> dict[str, Any]:
    """Read the run's metrics.json and reduce this machine's absolute paths to their last part.

    Raises:
        BundleError: Missing, unreadable, or measured on other weights than the run's best.
    """
    path = trained.folder / "metrics.json"
    hint = f"Run `python -m {__package__}.evaluate --run {trained.folder}` first, or pass --without-metrics."
    try:
        metrics: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        fingerprint = metrics["fingerprint"]
        if "quick" not in metrics:
            raise BundleError(f"{path} was written by an older DermNote, and lacks figures that the card shows.", hint)
    except FileNotFoundError as error:
        raise BundleError(f"{path} is missing, so the card would have no figures.", hint) from error
    except (ValueError, KeyError, TypeError) as error:
        raise BundleError(f"{path} is not a readable metrics.json.", hint) from error
    if fingerprint != trained.config.fingerprint:
        raise BundleError(f"{path} was measured on other weights than the run's best.", hint)

    def without_folder(word: str) -> str:
        return Path(word).name if Path(word).is_absolute() else word

    for name in ("run", "cases", "notes"):
        metrics[name] = without_folder(metrics[name]) if metrics.get(name) else None
    metrics["command"] = shlex.join(map(without_folder, shlex.split(metrics["command"])))
    return metrics


def select_gallery(cases: Cases, notes: dict[str, dict[str, str]], config: DermNoteConfig) -> Gallery:
    """Give each case the note (by case id and strategy) of the first of the model's strategies that has one.

    For a model with a text branch, cases without a note are left out.

    Raises:
        NotesError: The model has a text branch and no case has a note.
    """
    texts = []
    for case_id in cases.table["case_id"]:
        written = notes.get(case_id, {})
        texts.append(next((written[name] for name in config.strategies or written if name in written), ""))
    if not config.multimodal:
        return Gallery(cases, tuple(texts), 0)
    rows = [row for row, text in enumerate(texts) if text]
    if not rows:
        names = ", ".join(config.strategies)
        raise NotesError(f"None of the {len(cases)} cases has a note of {names}.", "Are these the notes of the cases?")
    return Gallery(cases.select(rows), tuple(texts[row] for row in rows), len(texts) - len(rows))


def _build_index(
    gallery: Gallery,
    model: DermNoteModel,
    config: DermNoteConfig,
    scratch: Path | None,
    batch_size: int,
    device: torch.device,
) -> CaseIndex | None:
    """Encode images and notes, and build the index; None in every process but the main one.

    All processes of a launch call it together and take the main one's weights. The file `scratch` holds the thumbnails
    until the index is saved.
    """
    texts: Sequence[str] | None = gallery.notes if config.multimodal else None
    take_main_weights(model, device)
    vectors = embed_cases(model, gallery.cases, texts, batch_size, device, shard=True)
    thumbnails = make_thumbnails(gallery.cases.images, scratch)
    if thumbnails is None:
        return None
    table = gallery.cases.table.assign(note=list(gallery.notes))
    return CaseIndex.build(table, vectors.image, vectors.text, thumbnails, config.fingerprint)


def _published_config(
    trained: Run, gallery: Gallery, metrics: dict[str, Any] | None, args: argparse.Namespace
) -> DermNoteConfig:
    summary, table = gallery.cases.summary, gallery.cases.table
    sources = trained.config.sources or tuple(summary["sources"])
    licence = args.licence or licence_of({*sources, *table["source"]}, summary)
    listed = ", ".join(f"{count} of {name}" for name, count in Counter(table["source"]).most_common())
    splits = " and ".join(split for split in SPLITS if split in set(table["split"]))
    sentence = f"The gallery holds {len(table)} cases ({listed}) of the splits {splits}."
    return replace(trained.config, sources=sources, licence=licence, gallery=args.gallery or sentence)


def _report(args: argparse.Namespace, config: DermNoteConfig, gallery: Gallery, size: int) -> None:
    rows: dict[str, Any] = {
        "bundle": args.out,
        "size": f"{size / 1e6:.1f} MB, {args.dtype}",
        "gallery": config.gallery,
        "left out": f"{gallery.without_note} cases without a note",
        "licence": config.licence,
        "fingerprint": config.fingerprint[:16],
        "for": "research use only, never a diagnosis",
    }
    command = f"python -m {__package__}.push_to_hub {args.out} --repo-id org/name --dry-run"
    print_summary("Bundle written.", rows, command)


if __name__ == "__main__":
    run(main)
