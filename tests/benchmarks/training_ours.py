"""Our training step, the code of `train.fit`, and the setting of a benchmark run."""

from __future__ import annotations

import atexit
import os
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from dermnote.models.joint_model import DermNoteModel
from tests.benchmarks.figures import Block, clock
from tests.benchmarks.training_material import Material, Pair, build
from train.runtime.launch import make_accelerator, resolve_precision
from train.training.augment import DRAWS
from train.training.checkpoint import Progress
from train.training.note_inputs import NoteInputs
from train.training.train_config import CONFIGS, TrainConfig, load_config
from train.training.training_data import TrainingData
from train.training.training_loop import Training

CACHE_GB = 4.0  # as allowed by `paper.yaml`


@dataclass(frozen=True)
class Setting:
    """A run.

    Attributes:
        pair: The encoders.
        material: Images and notes.
        device: Where to compute.
        batch: Images in a step.
        steps: Of a block.
        repeats: Blocks that count, for each contestant.
        workers: Processes that decode for us; the plain loop tries 0 and `peer_workers`.
        peer_workers: See there.
        settings: "key=value", to change in our settings.
    """

    pair: Pair
    material: Material
    device: torch.device
    batch: int
    steps: int
    repeats: int
    workers: int
    peer_workers: int
    settings: tuple[str, ...] = ()

    @property
    def on_gpu(self) -> bool:
        """Whether there is a GPU to measure."""
        return self.device.type == "cuda"

    def aim(self, target: float) -> float | None:
        """A target that was set for CPU cores: it says nothing of a GPU."""
        return None if self.on_gpu else target

    def config(self, **changes: Any) -> TrainConfig:
        """Our settings: `paper.yaml`, every image decoded whenever it is needed; compiled on a GPU."""
        chosen = {"batch_size": self.batch, "num_workers": self.workers, "cache_gb": 0, "compile": self.on_gpu}
        settings = [f"{name}={value}" for name, value in chosen.items()]
        return our_config(self.pair, [*settings, *self.settings], **changes)

    def model(self) -> DermNoteModel:
        """A new model, always with the same weights."""
        longer = self.material.longer()
        names = self.material.cases.classnames
        return build(self.pair, [*self.material.texts, *longer.texts], len(names))

    def description(self) -> list[str]:
        """Return the setting as text lines."""
        blocks = f"blocks of {self.steps} steps in turns, {self.repeats} rounds that count after one that does not"
        changed = [f"Our settings: paper.yaml with {', '.join(self.settings)}."] if self.settings else []
        precision = {"no": "float32"}.get(found := self.config().precision, found)
        summary = f"{self.material.description}; ours in {precision}; batches of {self.batch}; {blocks}; medians."
        return [f"{self.pair.description}.", summary, *changed]


def our_config(pair: Pair, settings: Sequence[str] = (), **changes: Any) -> TrainConfig:
    """`paper.yaml` with the pair's sizes, then `settings` ("key=value"), then `changes` of a single table."""
    sizes = {"backbone": pair.backbone, "image_size": pair.image_size, "max_length": pair.max_length}
    ours = [f"{name}={value}" for name, value in sizes.items()]
    config = load_config(
        CONFIGS / "paper.yaml", [*ours, "backbone_weights=null", "epochs=1000000", "checkpoint_minutes=1e9", *settings]
    ).with_values(**changes)
    return config.with_values(precision=resolve_precision(config.precision))


class Ours:
    """Our training loop.

    Args:
        model: Model to train.
        material: `steps` batches are taken of it.
        config: Result of `our_config`.
        steps: Steps of a block, which is an epoch.

    Attributes:
        note_seconds: Time to compute the text vectors, if the text encoder is frozen.
    """

    def __init__(self, model: DermNoteModel, material: Material, config: TrainConfig, steps: int) -> None:
        _use_temporary_cache()
        self.config, self.material = config, material.take(steps * config.batch_size)
        accelerator = make_accelerator(config.precision)
        self.device = accelerator.device
        data = TrainingData(self.material.cases, self.material.cases, self.material.notes(), "")
        self._folder = tempfile.TemporaryDirectory(prefix="dermnote-benchmark-")
        self._training = Training(model, data, config, Progress(), accelerator, Path(self._folder.name))
        started = clock(self.device)
        NoteInputs(self.material.notes(), model, self.device)  # the loop finds its vectors in the cache
        self.note_seconds = clock(self.device) - started
        self._training.prepare()

    def run(self) -> Block:
        """Run a block as train.fit does: decode images (or read the cache), augment, update."""
        started = clock(self.device)
        self._training.train_epoch()
        seconds = clock(self.device) - started
        progress, plan = self._training.progress, self._training.plan
        progress.epoch, progress.update = progress.epoch + 1, 0
        return Block(plan.updates * plan.cases_per_update, seconds)

    def resident(self) -> list[Tensor]:
        """Return the images of an epoch, batch by batch, on the device."""
        return [pixels.to(self.device) for pixels in self._training.loader]

    def run_on(self, batches: list[Tensor]) -> Block:
        """Run the same steps on images that are on the device already."""
        loader, self._training.loader = self._training.loader, batches  # type: ignore[assignment]
        try:
            return self.run()
        finally:
            self._training.loader = loader

    def inputs(self) -> Iterator[Tensor]:
        """Yield augmented, normalised batches on the device: the input pipeline alone."""
        generator = torch.Generator().manual_seed(self.config.seed)
        for pixels in self._training.loader:
            draws = torch.rand(len(pixels), DRAWS, generator=generator)
            yield self._training.step.views(pixels.to(self.device, non_blocking=True), draws)


def _use_temporary_cache() -> None:
    """Write the vectors of random weights, of no use later, to a folder that is deleted at the end."""
    if "DERMNOTE_CACHE" not in os.environ:
        folder = tempfile.TemporaryDirectory(prefix="dermnote-benchmark-")
        atexit.register(folder.cleanup)
        os.environ["DERMNOTE_CACHE"] = folder.name
