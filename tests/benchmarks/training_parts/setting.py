"""What a run of the benchmark is asked to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from dermnote.models.joint_model import DermNoteModel
from tests.benchmarks.training_parts.material import Material
from tests.benchmarks.training_parts.networks import Pair, build
from tests.benchmarks.training_parts.ours import our_config
from train.training.train_config import TrainConfig


@dataclass(frozen=True)
class Setting:
    """A run.

    Attributes:
        pair: The encoders.
        material: Pictures and notes.
        device: Where to compute.
        batch: Pictures in a step.
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
        """Our settings: `paper.yaml`, every picture decoded whenever it is needed; compiled on a GPU."""
        chosen = {"batch_size": self.batch, "num_workers": self.workers, "cache_gb": 0, "compile": self.on_gpu}
        settings = [f"{name}={value}" for name, value in chosen.items()]
        return our_config(self.pair, [*settings, *self.settings], **changes)

    def model(self) -> DermNoteModel:
        """A new model, always with the same weights."""
        longer = self.material.longer()
        names = self.material.cases.classnames
        return build(self.pair, [*self.material.texts, *longer.texts], len(names))

    def told(self) -> list[str]:
        """The setting in words."""
        blocks = f"blocks of {self.steps} steps in turns, {self.repeats} rounds that count after one that does not"
        changed = [f"Our settings: paper.yaml with {', '.join(self.settings)}."] if self.settings else []
        precision = {"no": "float32"}.get(found := self.config().precision, found)
        told = f"{self.material.told}; ours in {precision}; batches of {self.batch}; {blocks}; medians."
        return [f"{self.pair.told}.", told, *changed]
