"""Measures a run on cases it was not trained on, by split and source.

    python -m train.evaluate --run runs/first --cases cases/ --notes notes.jsonl
    accelerate launch -m train.evaluate ...          # the same figures, pictures shared by several processes

Writes into the run's folder: metrics.json, report.md, confusion.png. Classes are told from the picture alone. Retrieval
counts a case of the query's class as relevant, over held-out cases only (`--pool all` adds the training cases, as the
authors of arXiv 2511.21827 do), and comes twice: with notes as written, which mostly name the class, and with the
diagnosis masked. The masked figure is the headline. Intervals are 95%, by bootstrap over patients or lesions.

metrics.json, which model cards and the app read:

    {"run", "cases", "notes", "strategy", "pool", "classnames", "fingerprint",  what was measured
     "seed", "bootstrap", "device", "command", "versions",                      how
     "temperature",                    of the run: fitted by train.fit on its validation cases
     "left_out": cases whose class the run does not know,
     "splits": {"test": {"all": BLOCK, "milk10k": BLOCK, ...}, "external": {...}}}

    BLOCK = {"n_cases", "n_groups",
     "classification": {"kappa", "kappa_linear", "balanced_accuracy", "macro_f1", "macro_auroc", "accuracy",
        "melanoma_vs_nevus_auroc", "ece", "ece_uncalibrated", "negative_log_likelihood", "recall": {class: share},
        "support": {class: cases}, "confusion": rows are true classes, "classes_absent": [class],
        "ci": {name: [low, high]}},
     "retrieval": null or {"masked": WAYS, "as_written": WAYS, "n_queries", "without_note", "distinct_notes"},
     "alignment": null or {"masked": {"paired_cosine", "ci", "random_pairs"}, "as_written": ...}}

    WAYS = {"image_to_text": {"map", "ci", "chance", "left_out", "recall_of_own": {"1", "5", "10"}},
        "text_to_image": ...}

A figure that is undefined is null (a class that is absent, an interval over fewer than five groups).
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dermnote.errors import CasesError, NotesError
from dermnote.notes.schema import notes_by_case
from dermnote.notes.strategies import STRATEGIES, get_strategy
from dermnote.storage import replacing_file
from train.cases import SPLITS, Cases
from train.console import print_summary, run
from train.evaluating.embedded import Embedded, embed, known_to
from train.evaluating.figures import draw_confusion
from train.evaluating.measure import Bootstrap, block, search
from train.evaluating.provenance import command, device_name, plain, versions
from train.evaluating.report import console_table, write_report
from train.launched import Launched, launched
from train.run import Run, load_run

HELD_OUT = ("test", "external")


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(prog="python -m train.evaluate", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--run", required=True, type=Path, metavar="FOLDER", help="a run of train.fit")
    parser.add_argument(
        "--cases", required=True, metavar="CASES", help="folder that train.prepare wrote, or a Hub dataset"
    )
    parser.add_argument("--notes", metavar="FILE", help="notes.jsonl; without it only classification is measured")
    parser.add_argument("--strategy", help=f"notes to search: {', '.join(STRATEGIES)} (default: the run's first)")
    parser.add_argument("--splits", nargs="+", default=HELD_OUT, choices=SPLITS, help="default: test external")
    parser.add_argument("--pool", choices=("split", "all"), default="split", help="gallery: the split, or all cases")
    parser.add_argument("--batch-size", type=int, default=64, help="pictures in one pass (default 64)")
    parser.add_argument("--device", help="cpu, cuda, ... (default: a GPU if there is one)")
    parser.add_argument("--bootstrap", type=int, default=1000, metavar="N", help="draws for the intervals")
    parser.add_argument("--seed", type=int, default=0, help="of the bootstrap")
    return parser.parse_args(argv)


def evaluate(asked: argparse.Namespace, trained: Run, processes: Launched) -> dict[str, Any] | None:
    """Measures everything asked for; the figures of metrics.json. None where this is not the main process."""
    everything = Cases.read(asked.cases, splits=SPLITS if asked.pool == "all" else asked.splits)
    if not everything.table["split"].isin(asked.splits).any():
        raise CasesError(f"{asked.cases} has no cases in {', '.join(asked.splits)}.", "Choose others with --splits.")
    cases = known_to(trained, everything)
    strategy, notes = read_notes(asked, trained, print if processes.main else lambda _: None)
    whole = embed(trained, cases, notes, asked.batch_size, processes.device)
    if notes is not None and not whole.noted.any():
        raise NotesError(f"{asked.notes} has no '{strategy}' note for any of the {len(whole)} cases.")
    if not processes.main:
        return None
    temperature = trained.config.temperature
    bootstrap = Bootstrap(asked.bootstrap, asked.seed)
    measured = {
        split: measure_split(whole, split, asked.pool, temperature, trained.config.classnames, bootstrap)
        for split in asked.splits
        if (whole.table["split"] == split).any()
    }
    return {
        "run": str(asked.run),
        "cases": str(asked.cases),
        "notes": asked.notes,
        "strategy": strategy,
        "pool": asked.pool,
        "classnames": trained.config.classnames,
        "fingerprint": trained.config.fingerprint,
        "seed": trained.train_config.seed,
        "bootstrap": {"n_boot": asked.bootstrap, "seed": asked.seed},
        "temperature": temperature,
        "left_out": len(everything) - len(cases),
        "splits": measured,
    }


def read_notes(
    asked: argparse.Namespace, trained: Run, say: Callable[[str], object]
) -> tuple[str | None, dict[str, str] | None]:
    """The strategy to search and its notes by case id; (None, None) for classification alone."""
    if trained.model.text_encoder is None or asked.notes is None:
        why = "the run reads pictures only" if trained.model.text_encoder is None else "no --notes were given"
        say(f"no retrieval and no alignment: {why}")
        return None, None
    strategy = get_strategy(asked.strategy or trained.train_config.strategies[0]).name
    notes = notes_by_case(asked.notes, [strategy])
    return strategy, {case_id: texts[strategy] for case_id, texts in notes.items()}


def measure_split(
    whole: Embedded, split: str, pool: str, temperature: float, classnames: tuple[str, ...], bootstrap: Bootstrap
) -> dict[str, Any]:
    """The blocks of a split: "all", and one a source; sources search the whole split's gallery."""
    part = whole.select((whole.table["split"] == split).to_numpy())
    found = search(part, whole if pool == "all" else part)
    sources = part.table["source"].to_numpy()
    masks = {"all": np.ones(len(part), dtype=bool)} | {str(name): sources == name for name in sorted(set(sources))}
    return {
        name: block(part, rows, found, temperature=temperature, classnames=classnames, bootstrap=bootstrap)
        for name, rows in masks.items()
    }


def main(argv: Sequence[str] | None = None) -> int:
    """Measures a run; see the module's description."""
    words = list(sys.argv[1:] if argv is None else argv)
    asked = parse(words)
    trained = load_run(asked.run)
    with launched(asked.device) as processes:
        figures = evaluate(asked, trained, processes)
        if figures is not None:
            named = device_name(processes.device) + (f", {processes.count} processes" if processes.count > 1 else "")
            figures |= {"device": named, "command": command("train.evaluate", words), "versions": versions()}
            write(asked, plain(figures))
    return 0


def write(asked: argparse.Namespace, figures: dict[str, Any]) -> None:
    """Writes metrics.json, report.md and confusion.png into the run's folder, prints the main figures."""
    written = {name: asked.run / name for name in ("metrics.json", "report.md", "confusion.png")}
    with replacing_file(written["metrics.json"]) as aside:
        aside.write_text(json.dumps(figures, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    drawn = draw_confusion(figures, written["confusion.png"])
    with replacing_file(written["report.md"]) as aside:
        aside.write_text(write_report(figures, with_figure=drawn), encoding="utf-8")
    print(console_table(figures))
    notes = f" --notes {asked.notes}" if asked.notes else ""
    print_summary(
        "Evaluated (research use only, never a diagnosis)",
        {name: path for name, path in written.items() if path.exists()},
        f"python -m train.build_index --run {asked.run} --cases {asked.cases}{notes} --out bundle/",
    )


if __name__ == "__main__":
    run(main)
