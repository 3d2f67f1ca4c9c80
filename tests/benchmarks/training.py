"""How fast a training step is, beside the loops one would write or take instead, all in one run and in turns.

    python -m tests.benchmarks.training --cases cases/ --notes notes.jsonl --json training.json
    python -m tests.benchmarks.training                                   # drawn lesions
    python -m tests.benchmarks.training --pair small --steps 1            # whether it runs at all

Models have random weights and are built from their configs: nothing is downloaded. Every table names what it compares;
on a GPU the same command measures that GPU. About 12 minutes on 2 quiet cores.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import shlex
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from tests.benchmarks.training_parts.against_plain import frozen, trained
from tests.benchmarks.training_parts.against_trainer import against_trainer
from tests.benchmarks.training_parts.breakdown import breakdown
from tests.benchmarks.training_parts.epochs import epochs
from tests.benchmarks.training_parts.figures import Table, machine
from tests.benchmarks.training_parts.input_pipeline import input_pipeline
from tests.benchmarks.training_parts.material import draw_material, read_material
from tests.benchmarks.training_parts.networks import PAPER, SMALL
from tests.benchmarks.training_parts.on_gpu import on_gpu
from tests.benchmarks.training_parts.setting import Setting

SECTIONS: dict[str, Callable[[Setting], Table]] = {
    "frozen": frozen,
    "trained": trained,
    "trainer": against_trainer,
    "input": input_pipeline,
    "frozen-breakdown": lambda setting: breakdown(setting, 0),
    "trained-breakdown": lambda setting: breakdown(setting, "all"),
    "gpu": on_gpu,
}


def main(argv: Sequence[str] | None = None) -> int:
    args = parser().parse_args(argv)
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # a tokenizer that has threads is not fit to be forked
    setting = chosen(args)
    words = sys.argv[1:] if argv is None else list(argv)
    command = shlex.join(["python", "-m", "tests.benchmarks.training", *words])
    about = {**machine(setting.device), "command": command}
    for name, value in about.items():
        print(f"{name}: {value}")
    tables = []
    for name in args.sections:
        started = time.perf_counter()
        tables.append(SECTIONS[name](setting))
        print(tables[-1].text(), f"\n\n({time.perf_counter() - started:.0f} s)", flush=True)
        gc.collect()
        if setting.on_gpu:
            torch.cuda.empty_cache()
            torch.compiler.reset()  # else the code of all the models compiled so far counts against one limit
    tables.append(epochs(setting, tables))
    print(tables[-1].text())
    if args.json:
        told = {"machine": about, "setting": setting.told(), "tables": [table.plain() for table in tables]}
        args.json.write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
    return 0


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=Path, help="a folder that train.prepare wrote; else lesions are drawn")
    parser.add_argument("--notes", type=Path, help="their notes.jsonl, with M notes")
    parser.add_argument("--pictures", type=int, default=256, help="how many of them to use")
    parser.add_argument("--pair", choices=("paper", "small"), default="paper", help="sizes of the encoders")
    parser.add_argument("--batch", type=int, help="pictures in a step; 32, on a GPU 128")
    parser.add_argument("--steps", type=int, help="steps of a block; 2, on a GPU 30")
    parser.add_argument("--repeats", type=int, default=3, help="blocks that count, for each contestant")
    parser.add_argument("--workers", type=int, help="processes that decode for us; 0, on a GPU one a core, at most 14")
    parser.add_argument("--peer-workers", type=int, help="that the plain loop tries beside 0; 2, on a GPU as ours")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="change a setting of ours")
    parser.add_argument("--sections", nargs="+", choices=tuple(SECTIONS), default=list(SECTIONS), metavar="NAME")
    parser.add_argument("--json", type=Path, help="also write the tables here")
    return parser


def chosen(args: argparse.Namespace) -> Setting:
    """The run the command line asks for."""
    if (args.cases is None) != (args.notes is None):
        raise SystemExit("--cases and --notes go together; without both, lesions are drawn.")
    gpu = torch.cuda.is_available()
    workers = (min(14, os.cpu_count() or 1) if gpu else 0) if args.workers is None else args.workers
    material = read_material(args.cases, args.notes, args.pictures) if args.cases else draw_material(args.pictures)
    return Setting(
        pair=SMALL if args.pair == "small" else PAPER,
        material=material,
        device=torch.device("cuda" if gpu else "cpu"),
        batch=args.batch or (128 if gpu else 32),
        steps=args.steps or (30 if gpu else 2),
        repeats=args.repeats,
        workers=workers,
        peer_workers=(workers if gpu else 2) if args.peer_workers is None else args.peer_workers,
        settings=tuple(args.set),
    )


if __name__ == "__main__":
    raise SystemExit(main())
