"""Measures a run, or a published model, on cases it was not trained on, by split and source.

    python -m train.evaluate --run runs/first --cases cases/ --notes notes.jsonl
    python -m train.evaluate --model org/name --cases cases/ --out runs/theirs      # a published model, or its folder
    accelerate launch -m train.evaluate ...          # the same figures, pictures shared by several processes

Writes metrics.json, predictions.parquet, report.html, report.md and its pictures (confusion.png, reliability.png) into
the run's folder, and known.safetensors, by which a bundle tells a picture that is unlike all it was trained on. Classes
are told from the picture alone. Retrieval counts a case of the query's class as relevant, and comes twice: with the
notes as written, which mostly name the class, and with the diagnosis masked. The masked figure over held-out cases only
is the headline; the authors of arXiv 2511.21827 search all cases, training cases too, and so does `retrieval_all`.
Intervals are 95%, by bootstrap over patients or lesions. Photographs and drawn lesions are never pooled: each are
searched among their own kind, and the block "all" of a split is of its photographs, where it has any.

What it costs: all cases of the folder are embedded once, training cases too, for `retrieval_all`, the distance to
known cases and the linear probes; that takes about a third of an epoch of training. `--quick` embeds the cases of
`--splits` alone and leaves these three out.

Of a published model (`--model`) the same goes into `--out`, but for known.safetensors: it brings its own along, and the
distance is to those. A case of a source it was trained on may be known to it, whatever split the folder gives it; then
the report says so.

metrics.json, which model cards and the app read:

    {"run" (or the model asked for), "cases", "notes", "strategy", "classnames", "fingerprint",      what was measured
     "published": null for a run, or {"revision", "trained_on_too": sources measured that the model was trained on}
     "pool": "split",                  the gallery of "retrieval"
     "quick": whether the training cases were left out
     "seed", "bootstrap", "device", "command", "versions",                      how
     "temperature",                    of the run: fitted by train.fit on its validation cases
     "left_out": cases whose class the model does not know,
     "splits": {"test": {"all": BLOCK, "milk10k": BLOCK, ...}, "external": {...}}}

    BLOCK = {"n_cases", "n_groups", "sources": [name],
     "classification": {"kappa", "kappa_linear", "balanced_accuracy", "macro_f1", "macro_auroc", "accuracy",
        "melanoma_vs_nevus_auroc", "ece", "ece_uncalibrated", "negative_log_likelihood", "brier",
        "reliability": [{"low", "high", "confidence", "accuracy", "n_cases"}], "recall": {class: share},
        "support": {class: cases}, "confusion": rows are true classes, "classes_absent": [class],
        "ci": {name: [low, high]}},
     "retrieval": null or {"masked": WAYS, "as_written": WAYS, "n_queries", "n_gallery", "without_note",
        "distinct_notes": {version: texts}},
     "retrieval_all": the same among all cases of the folder; null with --quick,
     "alignment": null or {"masked": {"paired_cosine", "ci", "random_pairs", "modality_gap",
        "uniformity": {"image", "text"}}, "as_written": ...},
     "zero_shot": null or {"prompts": {class: text}, "kappa", "balanced_accuracy", "macro_auroc", "ci"},
     "selective": {"confidence": CURVE, "distance": null or CURVE,
        "far": null or {"threshold", "n_flagged", "accuracy_flagged", "accuracy_kept"}},
     "linear_probe": null or {"1" | "10" | "100": {"kappa", "balanced_accuracy", "macro_auroc", "ci", "n_train",
        "n_groups", "classes_absent"}},
     "groups": {"sex" | "age_band" | "skin_tone" ("skin_tone, SCALE" where there are several) | "site" | "modality":
        {"values": {name: {"n_cases", "n_groups", "kappa", "balanced_accuracy", "macro_auroc", "ci", and with notes, all
             masked, "map_image_to_text", "map_text_to_image", "paired_cosine"}
            or {"n_cases", "n_groups", "too_few": true}}, "not_recorded",
         "best": {measure: name}, "worst": {measure: name}, "gap": {measure: {"value", "ci"}}}}}

    WAYS = {"image_to_text": {"map", "ci", "chance", "left_out", "recall_of_own": {"1", "5", "10"},
        "precision": {"5", "10"}, "median_rank_of_own", "by_subtype": null or {"map", "ci", "chance", "n_queries"}},
        "text_to_image": ...}
    CURVE = {"coverage": [share], "risk": [share], "aurc", "ci"}

A figure that is undefined is null (a class that is absent, an interval over fewer than five groups). The columns of
predictions.parquet stand in `train.evaluation.predictions`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from dermnote.errors import CasesError, NotesError
from dermnote.notes.schema import notes_by_case
from dermnote.notes.strategies import STRATEGIES, get_strategy

from .data.cases import SPLITS, Cases
from .evaluation.embedded_cases import embed, known_to
from .evaluation.evaluated_model import Subject, published_subject, subject_of_run
from .evaluation.markdown_report import console_table, trained_on_too
from .evaluation.measure import kinds, measure_split
from .evaluation.novelty_figures import probe
from .evaluation.prompts import embed_prompts
from .evaluation.provenance import command, device_name, plain, versions
from .evaluation.results import Measured, write
from .evaluation.setting import Bootstrap, Setting
from .runtime.console import print_summary, run
from .runtime.launch import Launched, launched

HELD_OUT = ("test", "external")


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(prog="python -m train.evaluate", description=(__doc__ or "").split("\n")[0])
    subject = parser.add_mutually_exclusive_group(required=True)
    subject.add_argument("--run", type=Path, metavar="FOLDER", help="a run of train.fit")
    subject.add_argument("--model", metavar="ID", help="a published model: org/name, or a bundle's folder")
    parser.add_argument("--revision", help="of --model on the Hub: branch, tag or commit (default: main)")
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="for the figures of --model")
    parser.add_argument(
        "--cases", required=True, metavar="CASES", help="folder that train.prepare wrote, or a Hub dataset"
    )
    parser.add_argument("--notes", metavar="FILE", help="notes.jsonl; without it only classification is measured")
    parser.add_argument("--strategy", help=f"notes to search: {', '.join(STRATEGIES)} (default: the model's first)")
    parser.add_argument("--splits", nargs="+", default=HELD_OUT, choices=SPLITS, help="default: test external")
    parser.add_argument("--quick", action="store_true", help="leave out what needs the training cases embedded too")
    parser.add_argument("--batch-size", type=int, default=64, help="pictures in one pass (default 64)")
    parser.add_argument("--device", help="cpu, cuda, ... (default: a GPU if there is one)")
    parser.add_argument("--bootstrap", type=int, default=1000, metavar="N", help="draws for the intervals")
    parser.add_argument("--seed", type=int, default=0, help="of the bootstrap")
    asked = parser.parse_args(argv)
    if (asked.model is None) != (asked.out is None):
        parser.error("--model needs --out, and a run keeps its figures in its own folder")
    if asked.revision is not None and asked.model is None:
        parser.error("--revision is of --model; a run has none")
    return asked


def evaluate(asked: argparse.Namespace, trained: Subject, processes: Launched) -> Measured | None:
    """Measures everything asked for. None where this is not the main process."""
    everything = Cases.read(asked.cases, splits=asked.splits if asked.quick else SPLITS)
    wanted = everything.table["split"].isin(asked.splits).to_numpy()
    if not wanted.any():
        raise CasesError(f"{asked.cases} has no cases in {', '.join(asked.splits)}.", "Choose others with --splits.")
    left_out = len(everything.table[wanted]) - len(known_to(trained, everything.select(wanted)))
    cases = known_to(trained, everything)
    strategy, notes = read_notes(asked, trained, print if processes.main else lambda _: None)
    whole = embed(trained, cases, notes, asked.batch_size, processes.device)
    prompts = embed_prompts(trained, asked.batch_size, processes.device)
    measured = whole.table["split"].isin(asked.splits).to_numpy()
    if notes is not None and not whole.noted[measured].any():
        raise NotesError(f"{asked.notes} has no '{strategy}' note for any of the {measured.sum()} cases.")
    if not processes.main:
        return None
    names, temperature = trained.config.classnames, trained.config.temperature
    whole, shares = probe(whole, names, asked.seed)
    known = trained.beside_known(whole, asked.seed)
    whole, bootstrap = known.whole, Bootstrap(asked.bootstrap, asked.seed)
    setting = Setting(names, temperature, bootstrap, prompts, known.far, shares)
    splits = [split for split in asked.splits if (whole.table["split"] == split).any()]
    found = {split: measure_split(whole, split, setting, all_cases=not asked.quick) for split in splits}
    figures = {
        "run": trained.name,
        "cases": str(asked.cases),
        "notes": asked.notes,
        "strategy": strategy,
        "pool": "split",
        "quick": asked.quick,
        "classnames": names,
        "fingerprint": trained.config.fingerprint,
        "published": trained.publication(set(whole.table["source"][measured])),
        "seed": trained.seed,
        "bootstrap": {"n_boot": asked.bootstrap, "seed": asked.seed},
        "temperature": temperature,
        "left_out": left_out,
        "splits": {split: blocks for split, (blocks, _) in found.items()},
    }
    answered = pd.concat([table for _, table in found.values()], ignore_index=True)
    held_out = {name: each for split in splits for name, each in kinds(whole, split)}
    return Measured(figures, answered, held_out, cases, known.pictures)


def read_notes(
    asked: argparse.Namespace, trained: Subject, say: Callable[[str], object]
) -> tuple[str | None, dict[str, str] | None]:
    """The strategy to search and its notes by case id; (None, None) for classification alone."""
    if trained.model.text_encoder is None or asked.notes is None:
        why = "the model reads pictures only" if trained.model.text_encoder is None else "no --notes were given"
        say(f"no retrieval and no alignment: {why}")
        return None, None
    strategy = get_strategy(asked.strategy or trained.config.strategies[0]).name
    notes = notes_by_case(asked.notes, [strategy])
    return strategy, {case_id: texts[strategy] for case_id, texts in notes.items()}


def main(argv: Sequence[str] | None = None) -> int:
    """Measures a run or a published model; see the module's description."""
    words = list(sys.argv[1:] if argv is None else argv)
    asked = parse(words)
    if asked.run is not None:
        trained = subject_of_run(asked.run)
    else:
        trained = published_subject(asked.model, asked.revision, asked.out)
    with launched(asked.device) as processes:
        measured = evaluate(asked, trained, processes)
        if measured is not None:
            named = device_name(processes.device) + (f", {processes.count} processes" if processes.count > 1 else "")
            how = {"device": named, "command": command("train.evaluate", words), "versions": versions()}
            figures = plain(measured.figures | how)
            _tell(asked, figures, write(trained.out, figures, measured))
    return 0


def _tell(asked: argparse.Namespace, figures: dict[str, Any], written: Mapping[str, Path]) -> None:
    """Prints the main figures, what a reader must know of them, and the files."""
    print(console_table(figures))
    if warning := trained_on_too(figures):
        print(warning)
    notes = f" --notes {asked.notes}" if asked.notes else ""
    following = f"python -m train.build_index --run {asked.run} --cases {asked.cases}{notes} --out bundle/"
    print_summary(
        "Evaluated (research use only, never a diagnosis)", written, following if asked.run is not None else ""
    )


if __name__ == "__main__":
    run(main)
