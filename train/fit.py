"""Trains a model on cases and their notes.

    accelerate launch -m train.fit --config train/configs/starter.yaml --cases cases/ --notes notes.jsonl --out runs/a
    accelerate launch -m train.fit ... --set losses.nt_xent=0 --set seed=1     # change settings
    accelerate launch -m train.fit ... --resume                                # go on after a stop, wherever it was
    accelerate launch -m train.fit ... --init-from org/name                    # fine-tune a published model

`accelerate launch -q` keeps the launcher's own trace out of the way when the step ends with a message. SIGTERM and
Ctrl-C end the run after the step under way, with everything written down. Two processes on a machine without GPUs:

    ACCELERATE_USE_CPU=true OMP_NUM_THREADS=1 torchrun --standalone --nproc_per_node 2 -m train.fit ...

Out: config.yaml (all settings), best/ (the model of the best epoch), checkpoints/ (the last two, to go on from),
log.jsonl, tensorboard/, and with --profile profile/trace.json.
"""

from __future__ import annotations

import argparse
import json
import shlex
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, replace
from pathlib import Path

import torch
from accelerate import Accelerator

from dermnote.errors import ConfigError
from dermnote.models.joint_model import DermNoteModel
from dermnote.storage import replacing_file

from .runtime.console import print_summary, run
from .runtime.sharding import failing_together
from .training.checkpoint import MODEL, Progress, newest
from .training.devices import make_accelerator
from .training.launch_check import check_world, run_folder_lock
from .training.run_folder import BEST, CHECKPOINTS, CONFIG
from .training.start import model_from_bundle, new_model
from .training.train_config import TrainConfig, load_config
from .training.training_data import TrainingData, read_training_data
from .training.training_run import Training

# Settings that may change when a run goes on: they do not alter the epochs that are done.
FREE = ("epochs", "patience", "num_workers", "cache_gb", "checkpoint_minutes", "compile", "batch_size", "accumulate")


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the step; returns the exit status. Asked to end before that, it raises `train.runtime.console.StopError`."""
    arguments = _parser().parse_args(argv)
    asked = load_config(arguments.config, arguments.set)
    _check_out(arguments.out)
    accelerator = make_accelerator(_precision(asked, arguments.out, arguments.resume))
    check_world(accelerator.num_processes)
    data = read_training_data(asked, arguments.cases, arguments.notes, accelerator.print)
    with ExitStack() as held:
        with failing_together(shard=True):  # where the main process may not write, the others end too
            if accelerator.is_main_process:
                held.enter_context(run_folder_lock(arguments.out))
        return _fit(arguments, asked, data, accelerator)


def _fit(arguments: argparse.Namespace, asked: TrainConfig, data: TrainingData, accelerator: Accelerator) -> int:
    out: Path = arguments.out
    found = _progress(out, asked, arguments.resume)
    if found is None:
        model, config = _start(asked, data, arguments.init_from, accelerator.print)
        config = config.with_values(precision=accelerator.mixed_precision)
        checkpoint, progress = None, Progress(asked=_plain(asked), data=data.fingerprint)
        if arguments.resume:
            accelerator.print(f"{out} holds no checkpoint: starting from the beginning.")
    else:
        checkpoint, progress = found
        model, config = _go_on(out, checkpoint, asked, data, progress)
        within = f", update {progress.update} of the next" if progress.update else ""
        accelerator.print(f"Going on after epoch {progress.epoch}{within}.")
    training = Training.begin(model, data, config, progress, accelerator, out, checkpoint)
    _write_config(out, config, accelerator)
    training.run(profiled=arguments.profile)
    if accelerator.is_main_process:
        _summarise(training, arguments)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="accelerate launch -m train.fit",
        description="Train a model on cases and their notes. Research only, never a diagnosis.",
    )
    parser.add_argument("--config", type=Path, required=True, help="settings, e.g. train/configs/starter.yaml")
    parser.add_argument("--cases", required=True, help="folder that train.prepare wrote, or a Hub dataset org/name")
    parser.add_argument("--notes", type=Path, help="notes.jsonl; not needed with multimodal: false")
    parser.add_argument("--out", type=Path, required=True, help="folder of the run, e.g. runs/first")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="change a setting; a.b=value reaches into a group",
    )
    parser.add_argument("--resume", action="store_true", help="go on from the last checkpoint of --out")
    parser.add_argument("--profile", action="store_true", help="write a trace of a few updates and name the costliest")
    parser.add_argument("--init-from", metavar="ID", help="start from a published bundle: org/name, or its folder")
    return parser


def _check_out(out: Path) -> None:
    if out.exists() and not out.is_dir():
        raise ConfigError(f"--out {out} is a file.", "Name a folder.")


def _precision(asked: TrainConfig, out: Path, resume: bool) -> str:
    """What is asked; "auto" is what it came to when the run began, whatever machine goes on with it."""
    begun = resume and asked.precision == "auto" and (out / CONFIG).is_file()
    return load_config(out / CONFIG).precision if begun else asked.precision


def _progress(out: Path, asked: TrainConfig, resume: bool) -> tuple[Path, Progress] | None:
    """The checkpoint to go on from; None to start. A run that is there is never written over."""
    found = newest(out / CHECKPOINTS)
    if found is None:
        if (out / BEST).is_dir() and not resume:
            raise ConfigError(f"{out} already holds a model.", "Choose another --out.")
        return None
    progress = found[1]
    if not resume:
        raise ConfigError(
            f"{out} already holds a run ({progress.epoch} epochs).", "Add --resume to go on, or choose another --out."
        )
    now = json.loads(json.dumps(_plain(asked)))
    other = [key for key in now if key not in FREE and now[key] != progress.asked.get(key)]
    if other:
        raise ConfigError(
            f"{out} was trained with another {', '.join(other)}.",
            f"Only {', '.join(FREE)} may change with --resume; choose another --out for a new run.",
        )
    return found


def _start(
    asked: TrainConfig, data: TrainingData, init_from: str | None, say: Callable[[str], object]
) -> tuple[DermNoteModel, TrainConfig]:
    torch.manual_seed(asked.seed)
    texts = data.notes.texts if data.notes is not None else ()
    if init_from is not None:
        return model_from_bundle(init_from, asked, data.classnames, texts, say)
    return new_model(asked, len(data.classnames), texts), asked


def _go_on(
    out: Path, checkpoint: Path, asked: TrainConfig, data: TrainingData, progress: Progress
) -> tuple[DermNoteModel, TrainConfig]:
    """The model of the checkpoint, and the settings as the run resolved them at its start."""
    if data.fingerprint != progress.data:
        raise ConfigError(f"{out} was trained on other cases or notes.", "Choose another --out for a new run.")
    config = replace(load_config(out / CONFIG), **{name: getattr(asked, name) for name in FREE})
    model, _ = DermNoteModel.from_pretrained(checkpoint / MODEL)
    return model, config


def _write_config(out: Path, config: TrainConfig, accelerator: Accelerator) -> None:
    if accelerator.is_main_process:
        with replacing_file(out / CONFIG) as aside:
            aside.write_text(config.to_yaml(), encoding="utf-8")


def _plain(config: TrainConfig) -> dict[str, object]:
    return asdict(config)


def _summarise(training: Training, arguments: argparse.Namespace) -> None:
    progress, config, out = training.progress, training.config, arguments.out
    stopped = f" (no better one in {config.patience})" if progress.epoch < config.epochs else ""
    rows = {
        "epochs": f"{progress.epoch} of {config.epochs}{stopped}, {progress.seconds / 60:.1f} min",
        "best": f"epoch {progress.best_epoch}, {config.select_by} {abs(progress.best_score or 0):.3f} on validation",
        "model": out / BEST,
        "log": out / "log.jsonl",
        "curves": f"tensorboard --logdir {shlex.quote(str(out))}",
    }
    notes = f" --notes {shlex.quote(str(arguments.notes))}" if config.multimodal else ""
    command = (
        f"python -m train.evaluate --run {shlex.quote(str(out))} --cases {shlex.quote(str(arguments.cases))}{notes}"
    )
    print_summary("Trained. Research only, never a diagnosis.", rows, command)


if __name__ == "__main__":
    run(main)
