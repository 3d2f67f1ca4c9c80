"""Train a model on cases and their notes.

    accelerate launch -m train.fit --config train/configs/starter.yaml --cases cases/ --notes notes.jsonl --out runs/a
    accelerate launch -m train.fit ... --set losses.nt_xent=0 --set seed=1     # change settings
    accelerate launch -m train.fit ... --resume                                # continue a stopped run
    accelerate launch -m train.fit ... --init-from org/name                    # fine-tune a published model

`accelerate launch -q` hides the launcher's own stack trace when the step ends with a message. SIGTERM and Ctrl-C stop
the run after the current update, with its state saved. Two processes on a machine without GPUs:

    ACCELERATE_USE_CPU=true OMP_NUM_THREADS=1 torchrun --standalone --nproc_per_node 2 -m train.fit ...

Output: config.yaml (all settings), best/ (the model of the best epoch), checkpoints/ (the last two, to resume from),
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
from typing import TYPE_CHECKING

import torch

from dermnote.errors import ConfigError
from dermnote.models.joint_model import DermNoteModel
from dermnote.storage import replacing_file

from .runtime.console import print_summary, run
from .runtime.distributed import failing_together
from .runtime.launch import check_process_count, make_accelerator
from .training.checkpoint import MODEL, Progress, newest
from .training.initial_model import model_from_bundle, new_model
from .training.run_folder import BEST, CHECKPOINTS, CONFIG, LOG, run_folder_lock
from .training.train_config import TrainConfig, load_config
from .training.training_data import TrainingData, read_training_data
from .training.training_loop import Training

if TYPE_CHECKING:
    from accelerate import Accelerator

# Settings that may change with --resume: they do not affect the finished epochs.
CHANGEABLE = (
    "epochs",
    "patience",
    "num_workers",
    "cache_gb",
    "checkpoint_minutes",
    "compile",
    "batch_size",
    "accumulate",
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the step and return the exit status; raise `runtime.console.StopError` if asked to stop."""
    args = _parser().parse_args(argv)
    given = load_config(args.config, args.set)
    if args.out.exists() and not args.out.is_dir():
        raise ConfigError(f"--out {args.out} is a file.", "Name a folder.")
    accelerator = make_accelerator(_precision(given, args.out, args.resume))
    check_process_count(accelerator.num_processes)
    data = read_training_data(given, args.cases, args.notes, accelerator.print)
    with ExitStack() as stack:
        with failing_together(shard=True):  # if the main process cannot lock the folder, the others end too
            if accelerator.is_main_process:
                stack.enter_context(run_folder_lock(args.out))
        return _fit(args, given, data, accelerator)


def _fit(args: argparse.Namespace, given: TrainConfig, data: TrainingData, accelerator: Accelerator) -> int:
    out: Path = args.out
    found = _find_checkpoint(out, given, args.resume)
    if found is None:
        model, config = _initial_model(given, data, args.init_from, accelerator.print)
        config = config.with_values(precision=accelerator.mixed_precision)
        checkpoint, progress = None, Progress(asked=asdict(given), data=data.fingerprint)
        if args.resume:
            accelerator.print(f"{out} holds no checkpoint: starting from the beginning.")
    else:
        checkpoint, progress = found
        model, config = _resumed_model(out, checkpoint, given, data, progress)
        within = f", update {progress.update} of the next" if progress.update else ""
        accelerator.print(f"Resuming after epoch {progress.epoch}{within}.")
    training = Training(model, data, config, progress, accelerator, out, checkpoint)
    if accelerator.is_main_process:
        with replacing_file(out / CONFIG) as aside:
            aside.write_text(config.to_yaml(), encoding="utf-8")
    training.run(profile=args.profile)
    if accelerator.is_main_process:
        _summarise(training, args)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f"accelerate launch -m {__package__}.fit",
        description="Train a model on cases and their notes. Research only, never a diagnosis.",
    )
    parser.add_argument("--config", type=Path, required=True, help="settings, e.g. train/configs/starter.yaml")
    parser.add_argument("--cases", required=True, help="output folder of train.prepare, or a Hub dataset org/name")
    parser.add_argument("--notes", type=Path, help="notes.jsonl; not needed with multimodal: false")
    parser.add_argument("--out", type=Path, required=True, help="folder of the run, e.g. runs/first")
    changes = "change a setting; a.b=value reaches into a group"
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help=changes)
    parser.add_argument("--resume", action="store_true", help="continue from the last checkpoint of --out")
    parser.add_argument("--profile", action="store_true", help="write a trace of a few updates and list the top costs")
    parser.add_argument("--init-from", metavar="ID", help="start from a published bundle: org/name, or its folder")
    return parser


def _precision(given: TrainConfig, out: Path, resume: bool) -> str:
    """Return the precision; a resumed run with "auto" keeps the one it began with, on any machine."""
    resumed = resume and given.precision == "auto" and (out / CONFIG).is_file()
    return load_config(out / CONFIG).precision if resumed else given.precision


def _find_checkpoint(out: Path, given: TrainConfig, resume: bool) -> tuple[Path, Progress] | None:
    """Return the checkpoint to resume from; None to start. An existing run is never overwritten."""
    found = newest(out / CHECKPOINTS)
    if found is None:
        if (out / BEST).is_dir() and not resume:
            raise ConfigError(f"{out} already holds a model.", "Choose another --out.")
        return None
    progress = found[1]
    if not resume:
        raise ConfigError(
            f"{out} already holds a run ({progress.epoch} epochs).",
            "Add --resume to continue it, or choose another --out.",
        )
    now = json.loads(json.dumps(asdict(given)))
    changed = [key for key in now if key not in CHANGEABLE and now[key] != progress.asked.get(key)]
    if changed:
        raise ConfigError(
            f"{out} was trained with another {', '.join(changed)}.",
            f"Only {', '.join(CHANGEABLE)} may change with --resume; choose another --out for a new run.",
        )
    return found


def _initial_model(
    given: TrainConfig, data: TrainingData, init_from: str | None, report: Callable[[str], object]
) -> tuple[DermNoteModel, TrainConfig]:
    torch.manual_seed(given.seed)
    texts = data.notes.texts if data.notes is not None else ()
    if init_from is not None:
        return model_from_bundle(init_from, given, data.classnames, texts, report)
    return new_model(given, len(data.classnames), texts), given


def _resumed_model(
    out: Path, checkpoint: Path, given: TrainConfig, data: TrainingData, progress: Progress
) -> tuple[DermNoteModel, TrainConfig]:
    """Return the model of the checkpoint, and the settings as the run resolved them at its start."""
    if data.fingerprint != progress.data:
        raise ConfigError(f"{out} was trained on other cases or notes.", "Choose another --out for a new run.")
    config = replace(load_config(out / CONFIG), **{name: getattr(given, name) for name in CHANGEABLE})
    model, _ = DermNoteModel.from_pretrained(checkpoint / MODEL)
    return model, config


def _summarise(training: Training, args: argparse.Namespace) -> None:
    progress, config, out = training.progress, training.config, args.out
    stopped = f" (no better one in {config.patience})" if progress.epoch < config.epochs else ""
    rows = {
        "epochs": f"{progress.epoch} of {config.epochs}{stopped}, {progress.seconds / 60:.1f} min",
        "best": f"epoch {progress.best_epoch}, {config.select_by} {abs(progress.best_score or 0):.3f} on validation",
        "model": out / BEST,
        "log": out / LOG,
        "curves": f"tensorboard --logdir {shlex.quote(str(out))}",
    }
    words = ["python", "-m", f"{__package__}.evaluate", "--run", str(out), "--cases", str(args.cases)]
    words += ["--notes", str(args.notes)] if config.multimodal else []
    print_summary("Trained. Research only, never a diagnosis.", rows, shlex.join(words))


if __name__ == "__main__":
    run(main)
