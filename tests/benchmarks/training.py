"""Speed of a training step against a plain loop and transformers' Trainer, in one run and in turns.

    python -m tests.benchmarks.training --cases cases/ --notes notes.jsonl --json training.json
    python -m tests.benchmarks.training                                   # synthetic lesions
    python -m tests.benchmarks.training --pair small --steps 1            # a smoke test

Models have random weights and are built from their configs: nothing is downloaded. Every table names what it compares;
on a GPU the same command measures that GPU. About 12 minutes on 2 quiet cores.
"""

from __future__ import annotations

import argparse
import gc
import os
import shlex
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile

from tests.benchmarks.figures import (
    Block,
    Figure,
    Rates,
    Table,
    alternate,
    clock,
    machine,
    middle,
    new_parser,
    ratios,
    write_json,
)
from tests.benchmarks.training_gpu import on_gpu
from tests.benchmarks.training_ours import (
    CACHE_GB,
    PAPER,
    SMALL,
    Material,
    Ours,
    Setting,
    draw_material,
    read_material,
)
from tests.benchmarks.training_peers import DualEncoderTrainer, PlainLoop
from train.training.train_config import TrainConfig
from train.training.training_data import training_side

FROZEN, PADDED, TRAINED = 2.8, 8.0, 1.8  # times as fast
PLAIN_SETUP = (
    "Plain loop: the same model in float32 and NCHW, PIL transforms one image after another in a DataLoader, each "
    "note through BERT at every step, torch's default optimizer kernels. Ours: the updates of train.fit, its text "
    "vectors made before the clock starts if the text is frozen (their time is reported). Both decode each JPEG at "
    "each access."
)


def frozen(setting: Setting) -> Table:
    """Measure frozen text: short notes, notes as long as a language model's, and notes padded to the longest input."""
    config = setting.config(text_layers=0)
    short, long = setting.material, setting.material.longer()
    table = Table("Our step against a plain loop, frozen text", [], [*setting.description(), PLAIN_SETUP])
    workers = _better_workers(setting, config, table)
    ours = Ours(setting.model(), short, config, setting.steps)
    contestants = {
        "ours": ours.run,
        "plain": _plain(setting, config, short, workers).run,
        "plain, longer notes": _plain(setting, config, long, workers).run,
    }
    rates = alternate(contestants, setting.repeats)
    padded = _padded(setting, config, workers, ours)
    table.figures += [_rate("ours, frozen text", rates["ours"], "whatever the notes")]
    for name in ("plain", "plain, longer notes"):
        table.figures += [_rate(name, rates[name]), _times(f"ours against {name}", rates, name, setting.aim(FROZEN))]
    name = f"plain, padded to {setting.pair.max_length}"
    table.figures.append(_rate(name, padded["plain"]))
    table.figures.append(_times(f"ours against {name}", padded, "plain", setting.aim(PADDED)))
    distinct = len(set(ours.material.texts))
    table.figures.append(Figure(f"text vectors of {distinct} distinct notes, made once", ours.note_seconds, "s"))
    return table


def trained(setting: Setting) -> Table:
    """Measure training of every layer of BERT."""
    config = setting.config(text_layers="all")
    table = Table("Our step against a plain loop, trained text", [], [*setting.description(), PLAIN_SETUP])
    contestants = {
        "ours": Ours(setting.model(), setting.material, config, setting.steps).run,
        "plain": _plain(setting, config, setting.material, 0).run,
    }
    rates = alternate(contestants, setting.repeats)
    table.figures += [_rate("ours, trained text", rates["ours"]), _rate("plain", rates["plain"], "num_workers=0")]
    table.figures.append(_times("ours against plain", rates, "plain", setting.aim(TRAINED)))
    return table


def _plain(
    setting: Setting, config: TrainConfig, material: Material, workers: int, *, longest: bool = True
) -> PlainLoop:
    arguments = (setting.model(), material, config, setting.device, setting.steps)
    return PlainLoop(*arguments, workers=workers, pad_to_longest=longest)


def _better_workers(setting: Setting, config: TrainConfig, table: Table) -> int:
    """Return the number of DataLoader workers with which the plain loop is faster."""
    loops = {
        f"num_workers={workers}": _plain(setting, config, setting.material, workers)
        for workers in dict.fromkeys((0, setting.peer_workers))
    }
    rates = {name: middle(each)[0] for name, each in alternate({n: x.run for n, x in loops.items()}, 1).items()}
    best = max(rates, key=rates.__getitem__)
    rates_text = ", ".join(f"{name} {rate:.3g} images/s" for name, rate in rates.items())
    table.remarks.append(f"The plain loop continues with {best} (tried: {rates_text}).")
    return int(best.split("=")[1])


def _padded(setting: Setting, config: TrainConfig, workers: int, ours: Ours) -> Rates:
    """Measure in fewer rounds and shorter blocks: it is slow, and the target far."""
    brief = replace(setting, steps=max(1, setting.steps // 2))
    loop = _plain(brief, config, setting.material, workers, longest=False)
    return alternate({"ours": ours.run, "plain": loop.run}, max(1, setting.repeats - 1))


def _rate(name: str, rates: list[float], remark: str = "") -> Figure:
    value, spread = middle(rates)
    return Figure(name, value, "images/s", spread, remark=remark)


def _times(name: str, rates: Rates, other: str, target: float | None) -> Figure:
    value, spread = middle(ratios(rates, "ours", other))
    return Figure(name, value, "times", spread, target)


TRAINER_SETUP = (
    "transformers: VisionTextDualEncoderModel in Trainer, as the library has it, contrastive loss; same encoders, "
    "precision, decoded squares, augmentation and tokens, all layers learn on both sides."
)


def against_trainer(setting: Setting) -> Table:
    """Measure trained text on both sides."""
    config = setting.config(text_layers="all")
    theirs = DualEncoderTrainer(setting.model(), setting.material, config, setting.device, setting.steps)
    ours = Ours(setting.model(), setting.material, config, setting.steps)
    rates = alternate({"ours": ours.run, "theirs": theirs.run}, setting.repeats)
    title = "Our step against transformers' VisionTextDualEncoderModel in Trainer"
    table = Table(title, [], [*setting.description(), TRAINER_SETUP])
    table.figures += [_rate("ours", rates["ours"]), _rate("transformers", rates["theirs"])]
    table.figures.append(_times("ours against transformers", rates, "theirs", 1.0))
    return table


FETCH = "enumerate(DataLoader)"  # torch's own name for the wait for a batch; decoding, where there are no workers
STAGES = {
    FETCH: "decode and collate",
    "views": "augment, normalise, lay out",
    "notes": "notes",
    "forward": "forward",
    "losses": "losses",
    "backward": "backward",
    "optimizer": "clipping, optimizer",
    "average": "moving average",
}
PROFILED = 2  # steps at most: each leaves some ten thousand events


def breakdown(setting: Setting, text_layers: int | str = 0) -> Table:
    """Profile one block, after a warm one."""
    setting = replace(setting, steps=min(PROFILED, setting.steps))
    ours = Ours(setting.model(), setting.material, setting.config(text_layers=text_layers), setting.steps)
    ours.run()
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if setting.on_gpu else [])]
    with profile(activities=activities) as seen:
        block = ours.run()
    events = seen.key_averages()
    whole = block.seconds * 1e3 / setting.steps
    text = "trained" if text_layers else "frozen"
    clocks = "host time (a GPU works in parallel)" if setting.on_gpu else "time"
    remarks = [*setting.description(), f"{clocks}, including the profiler's own"]
    table = Table(f"Where our step's time goes, {text} text", [], remarks)
    table.figures.append(Figure("whole step", whole, "ms"))
    for name, title in STAGES.items():
        found = [each for each in events if each.key.startswith(name)]
        if found:
            value = sum(each.cpu_time_total for each in found) / 1e3 / setting.steps
            table.figures.append(Figure(title, value, "ms", remark=f"{100 * value / whole:.1f}%"))
    table.figures += _operations(events, whole, setting)
    return table


def _operations(events: Any, whole: float, setting: Setting) -> list[Figure]:
    kind = "self_device_time_total" if setting.on_gpu else "self_cpu_time_total"
    named = [each for each in events if not each.key.startswith(tuple(STAGES))]
    costs = sorted(((float(getattr(each, kind)) / 1e3 / setting.steps, each.key) for each in named), reverse=True)
    share = "{:.1f}%".format
    return [Figure(f"operation {key[:60]}", cost, "ms", remark=share(100 * cost / whole)) for cost, key in costs[:8]]


TIMES = 10.0
BATCHES = 8  # of the pipeline for each step of the encoder on a CPU: it is that much faster


def input_pipeline(setting: Setting) -> Table:
    """Measure decoding at each access, and reading the cache of decoded squares."""
    learning = Ours(setting.model(), setting.material, setting.config(text_layers=0), setting.steps)
    step = {"step": learning.run}
    batches = setting.steps * (1 if setting.on_gpu else BATCHES)
    for name, gigabytes in (("decoded", 0.0), ("cached", CACHE_GB)):
        config = setting.config(text_layers=0, cache_gb=gigabytes)
        feeding = Ours(setting.model(), setting.material, config, batches)
        step[name] = lambda feeding=feeding: _feed(feeding)  # type: ignore[misc]
    rates = alternate(step, setting.repeats)
    how = "From JPEG to augmented, normalised batches on the device; the step has frozen text, which consumes most."
    table = Table("The input pipeline alone", [], [*setting.description(), how])
    titles = {"step": "consumed by our step", "decoded": "delivered, each JPEG decoded", "cached": "delivered, cached"}
    table.figures += [_rate(title, rates[name]) for name, title in titles.items()]
    for name, title in (("decoded", "decoded at each access"), ("cached", "out of the cache of decoded squares")):
        value, spread = middle(ratios(rates, name, "step"))
        table.figures.append(Figure(f"delivered against consumed, {title}", value, "times", spread, setting.aim(TIMES)))
    return table


def _feed(ours: Ours) -> Block:
    started, images = clock(ours.device), 0
    for batch in ours.inputs():
        images += len(batch)
    return Block(images, clock(ours.device) - started)


SIZES = (10_000, 100_000, 1_000_000)  # images in an epoch


def epochs(setting: Setting, tables: Sequence[Table]) -> Table:
    """Extrapolate duration and size of an epoch from our rates in the other tables."""
    rates = [
        figure
        for table in tables
        for figure in table.figures
        if figure.unit == "images/s" and figure.name.startswith("ours, ")
    ]
    stored = [len(jpeg) for jpeg in setting.material.cases.images]
    side = training_side(setting.config())
    figures = [
        Figure(f"{size:,} images: {rate.name}", size / (rate.value or 1) / 60, "min")
        for rate in rates
        for size in SIZES
    ]
    for size in SIZES:
        figures.append(Figure(f"{size:,} images, JPEG on disk", size * sum(stored) / len(stored) / 1e9, "GB"))
        figures.append(Figure(f"{size:,} images, decoded at {side} px", size * 3 * side * side / 1e9, "GB"))
    return Table("An epoch, extrapolated (images / rate; without validation and checkpoints)", figures)


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
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # a tokenizer with threads cannot be forked
    setting = chosen(args)
    words = sys.argv[1:] if argv is None else list(argv)
    command = shlex.join(["python", "-m", "tests.benchmarks.training", *words])
    about = {**machine(setting.device), "command": command}
    print("\n".join(f"{name}: {value}" for name, value in about.items()))
    tables = []
    for name in args.sections:
        started = time.perf_counter()
        tables.append(SECTIONS[name](setting))
        print(tables[-1].text(), f"\n\n({time.perf_counter() - started:.0f} s)", flush=True)
        gc.collect()
        if setting.on_gpu:
            torch.cuda.empty_cache()
            torch.compiler.reset()  # otherwise the code of all compiled models counts against one limit
    tables.append(epochs(setting, tables))
    print(tables[-1].text())
    report = {"command": command, "setting": setting.description(), "tables": [table.plain() for table in tables]}
    write_json(args.json, report, setting.device)
    return 0


def parser() -> argparse.ArgumentParser:
    parser = new_parser(__doc__)
    parser.add_argument("--cases", type=Path, help="a folder that train.prepare wrote; otherwise lesions are drawn")
    parser.add_argument("--notes", type=Path, help="their notes.jsonl, with M notes")
    parser.add_argument("--images", type=int, default=256, help="number of images to use")
    parser.add_argument("--pair", choices=("paper", "small"), default="paper", help="sizes of the encoders")
    parser.add_argument("--batch", type=int, help="images in a step; 32, on a GPU 128")
    parser.add_argument("--steps", type=int, help="steps of a block; 2, on a GPU 30")
    parser.add_argument("--repeats", type=int, default=3, help="blocks that count, for each contestant")
    parser.add_argument("--workers", type=int, help="processes that decode for us; 0, on a GPU one a core, at most 14")
    parser.add_argument("--peer-workers", type=int, help="that the plain loop tries beside 0; 2, on a GPU as ours")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="change a setting of ours")
    parser.add_argument("--sections", nargs="+", choices=tuple(SECTIONS), default=list(SECTIONS), metavar="NAME")
    return parser


def chosen(args: argparse.Namespace) -> Setting:
    """Return the setting of the command line."""
    if (args.cases is None) != (args.notes is None):
        raise SystemExit("--cases and --notes go together; without both, lesions are drawn.")
    gpu = torch.cuda.is_available()
    workers = (min(14, os.cpu_count() or 1) if gpu else 0) if args.workers is None else args.workers
    material = read_material(args.cases, args.notes, args.images) if args.cases else draw_material(args.images)
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
