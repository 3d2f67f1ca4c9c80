"""Evaluate a run, or a published model, on held-out cases, by split and source.

    python -m train.evaluate --run runs/first --cases cases/ --notes notes.jsonl
    python -m train.evaluate --model org/name --cases cases/ --out runs/theirs      # a published model, or its folder
    accelerate launch -m train.evaluate ...          # the same figures, images shared by several processes

Writes metrics.json, predictions.parquet, report.html, report.md and its plots (confusion.png, reliability.png) into the
run's folder, and known.safetensors, by which a bundle flags images unlike all it was trained on. Classification uses
the image alone. Retrieval counts a case of the query's class as relevant, and comes twice: with the notes as written,
which mostly name the class, and with the diagnosis masked. The masked figure over held-out cases is the headline; the
authors of arXiv 2511.21827 search all cases, training cases too, and so does `retrieval_all`. Intervals are 95%, by
bootstrap over patients or lesions. Photographs and drawn lesions are never pooled: each are searched among their own
kind, and the block "all" of a split is of its photographs, where it has any.

All cases of the folder are embedded once, training cases too, for `retrieval_all`, the distance to known cases and the
linear probes; that takes about a third of an epoch of training. `--quick` embeds only the cases of `--splits` and
leaves these three out. A published model (`--model`) brings its own known.safetensors, and may have been trained on
cases of a source measured here; then the report says so.

metrics.json, which model cards and the app read, has these keys; `dermnote.report.schema` types those of a BLOCK:

    {"run" (or the model as named), "cases", "notes", "strategy", "classnames", "fingerprint",
     "published": null for a run, or {"revision", "trained_on_too": measured sources that the model was trained on}
     "pool": "split", the gallery of "retrieval",    "quick": whether the training cases were left out,
     "seed", "bootstrap", "device", "command", "versions",    "temperature": fitted on validation cases by train.fit,
     "left_out": cases whose class the model does not know,
     "splits": {"test": {"all": BLOCK, "milk10k": BLOCK, ...}, "external": {...}}}

    BLOCK = {"n_cases", "n_groups", "sources", "classification", "retrieval" and "retrieval_all" (among all cases of the
     folder) by version of the notes and direction, "alignment" by version, "zero_shot", "selective", "linear_probe" by
     percent of the training groups, "groups" by attribute ("skin_tone, SCALE" where there are several) and value}

Intervals are under "ci", by measure or of the only one. What a run cannot have is null: retrieval without notes,
`retrieval_all`, distances and probes with --quick. Groups of fewer than 20 cases have {"too_few": true}.
An undefined figure is null (a class that is absent, an interval over fewer than five groups). The columns of
predictions.parquet are listed in `train.evaluation.measure.predictions`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pandas as pd

from dermnote.errors import CasesError, NotesError
from dermnote.notes.schema import notes_by_case
from dermnote.notes.strategies import STRATEGIES, get_strategy
from dermnote.report.schema import Metrics
from dermnote.report.sentences import known_sources_warning
from dermnote.report.tables import console_table

from .data.cases import SPLITS, Cases
from .evaluation.embedded_cases import Bootstrap, Setting, embed, embed_prompts, known_to
from .evaluation.evaluated_model import EvaluatedModel, load_evaluated_run, load_published_model
from .evaluation.measure import kinds, measure_split
from .evaluation.novelty import fit_probes
from .evaluation.provenance import command, device_name, plain, versions
from .evaluation.report_files import Measured, write_report_files
from .runtime.console import print_summary, run
from .runtime.launch import Launched, launched

HELD_OUT = ("test", "external")


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog=f"python -m {__package__}.evaluate", description=(__doc__ or "").split("\n")[0]
    )
    subject = parser.add_mutually_exclusive_group(required=True)
    subject.add_argument("--run", type=Path, metavar="FOLDER", help="run of train.fit")
    subject.add_argument("--model", metavar="ID", help="published model: org/name, or a bundle's folder")
    parser.add_argument("--revision", help="of --model on the Hub: branch, tag or commit (default: main)")
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="for the figures of --model")
    parser.add_argument("--cases", required=True, metavar="CASES", help="folder of train.prepare, or a Hub dataset")
    parser.add_argument("--notes", metavar="FILE", help="notes.jsonl; without it only classification is measured")
    parser.add_argument("--strategy", help=f"notes to search: {', '.join(STRATEGIES)} (default: the model's first)")
    parser.add_argument("--splits", nargs="+", default=HELD_OUT, choices=SPLITS, help="default: test external")
    parser.add_argument("--quick", action="store_true", help="leave out what needs the training cases embedded too")
    parser.add_argument("--batch-size", type=int, default=64, help="images in one pass (default 64)")
    parser.add_argument("--device", help="cpu, cuda, ... (default: a GPU if there is one)")
    parser.add_argument("--bootstrap", type=int, default=1000, metavar="N", help="draws for the intervals")
    parser.add_argument("--seed", type=int, default=0, help="of the bootstrap")
    args = parser.parse_args(argv)
    if (args.model is None) != (args.out is None):
        parser.error("--model needs --out, and a run keeps its figures in its own folder")
    if args.revision is not None and args.model is None:
        parser.error("--revision is of --model; a run has none")
    return args


def evaluate(args: argparse.Namespace, model: EvaluatedModel, processes: Launched) -> Measured | None:
    """Return all measurements; None where this is not the main process."""
    everything = Cases.read(args.cases, splits=args.splits if args.quick else SPLITS)
    wanted = everything.table["split"].isin(args.splits).to_numpy()
    if not wanted.any():
        raise CasesError(f"{args.cases} has no cases in {', '.join(args.splits)}.", "Choose others with --splits.")
    left_out = int(wanted.sum()) - len(known_to(model, everything.select(wanted)))
    cases = known_to(model, everything)
    strategy, notes = read_notes(args, model, print if processes.main else lambda _: None)
    whole = embed(model, cases, notes, args.batch_size, processes.device)
    prompts = embed_prompts(model, args.batch_size, processes.device)
    measured = whole.table["split"].isin(args.splits).to_numpy()
    if notes is not None and not whole.noted[measured].any():
        raise NotesError(f"{args.notes} has no '{strategy}' note for any of the {measured.sum()} cases.")
    if not processes.main:
        return None
    names, temperature = model.config.classnames, model.config.temperature
    whole, probes = fit_probes(whole, names, args.seed)
    novelty = model.novelty(whole, args.seed)
    whole, bootstrap = novelty.whole, Bootstrap(args.bootstrap, args.seed)
    setting = Setting(names, temperature, bootstrap, prompts, novelty.far, probes)
    splits = [split for split in args.splits if (whole.table["split"] == split).any()]
    found = {split: measure_split(whole, split, setting, all_cases=not args.quick) for split in splits}
    figures = {
        "run": model.name,
        "cases": str(args.cases),
        "notes": args.notes,
        "strategy": strategy,
        "pool": "split",
        "quick": args.quick,
        "classnames": names,
        "fingerprint": model.config.fingerprint,
        "published": model.publication(set(whole.table["source"][measured])),
        "seed": model.seed,
        "bootstrap": {"n_boot": args.bootstrap, "seed": args.seed},
        "temperature": temperature,
        "left_out": left_out,
        "splits": {split: blocks for split, (blocks, _) in found.items()},
    }
    predictions = pd.concat([table for _, table in found.values()], ignore_index=True)
    held_out = {name: each for split in splits for name, each in kinds(whole, split)}
    return Measured(figures, predictions, held_out, cases, novelty.known)


def read_notes(
    args: argparse.Namespace, model: EvaluatedModel, say: Callable[[str], object]
) -> tuple[str | None, dict[str, str] | None]:
    """Return the strategy to search and its notes by case id; (None, None) for classification alone."""
    if model.model.text_encoder is None or args.notes is None:
        why = "the model reads images only" if model.model.text_encoder is None else "no --notes were given"
        say(f"no retrieval and no alignment: {why}")
        return None, None
    strategy = get_strategy(args.strategy or model.config.strategies[0]).name
    notes = notes_by_case(args.notes, [strategy])
    return strategy, {case_id: texts[strategy] for case_id, texts in notes.items()}


def main(argv: Sequence[str] | None = None) -> int:
    """Evaluate a run or a published model; see the module's description."""
    argv = list(sys.argv[1:] if argv is None else argv)
    args = parse(argv)
    if args.run is not None:
        model = load_evaluated_run(args.run)
    else:
        model = load_published_model(args.model, args.revision, args.out)
    with launched(args.device) as processes:
        measured = evaluate(args, model, processes)
        if measured is not None:
            device = device_name(processes.device) + (f", {processes.count} processes" if processes.count > 1 else "")
            how = {"device": device, "command": command(f"{__package__}.evaluate", argv), "versions": versions()}
            figures = plain(measured.figures | how)
            _print_results(args, Metrics.read(figures), write_report_files(model.out, figures, measured))
    return 0


def _print_results(args: argparse.Namespace, metrics: Metrics, written: Mapping[str, Path]) -> None:
    """Print the main figures, a warning about known sources, and the files."""
    print(console_table(metrics))
    if warning := known_sources_warning(metrics):
        print(warning)
    notes = f" --notes {args.notes}" if args.notes else ""
    build = f"python -m {__package__}.build_index --run {args.run} --cases {args.cases}{notes} --out bundle/"
    print_summary("Evaluated (research use only, never a diagnosis)", written, build if args.run is not None else "")


if __name__ == "__main__":
    run(main)
