"""The peer of the first table: the loop that one writes first, around the same model.

float32, NCHW, one picture after another through PIL transforms in a DataLoader, every note through BERT at every step
(without gradients if it is frozen). Same losses, same kind of optimizer with the library's default kernels.
"""

from __future__ import annotations

import io
from typing import Any

import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from dermnote.models.image_encoder import IMAGENET_MEAN, IMAGENET_STD
from dermnote.models.joint_model import DermNoteModel
from tests.benchmarks.training_parts.alternating import Block, clock
from tests.benchmarks.training_parts.material import Material
from tests.benchmarks.training_parts.objective import plain_loss
from train.training.train_config import Augmentation, TrainConfig


class PictureFiles(Dataset[tuple[Tensor, int, str]]):
    """(3, S, S) float32, class id, note."""

    def __init__(self, material: Material, transform: Any) -> None:
        self._material, self._labels, self._transform = material, material.labels, transform

    def __len__(self) -> int:
        return len(self._labels)

    def __getitem__(self, row: int) -> tuple[Tensor, int, str]:
        picture = Image.open(io.BytesIO(self._material.cases.images[row])).convert("RGB")
        return self._transform(picture), int(self._labels[row]), self._material.texts[row]


def pil_transforms(size: int, settings: Augmentation) -> Any:
    """The same kinds of change as `train.training.augment` makes, each by torchvision on one PIL picture."""
    scale, ratio = (settings.crop_scale_min, settings.crop_scale_max), (1 / settings.crop_ratio, settings.crop_ratio)
    turns = [transforms.RandomRotation((angle, angle)) for angle in (90, 180, 270)]
    crop = transforms.RandomChoice(
        [transforms.RandomResizedCrop(size, scale=scale, ratio=ratio), transforms.Resize((size, size))],
        p=[settings.crop_chance, 1 - settings.crop_chance],
    )
    return transforms.Compose(
        [
            transforms.RandomHorizontalFlip(settings.flip),
            transforms.RandomVerticalFlip(settings.flip),
            transforms.RandomApply([transforms.RandomChoice(turns)], p=settings.quarter_turn),
            crop,
            transforms.ToTensor(),
            transforms.RandomApply([ChannelShift(settings.shift_low, settings.shift_high)], p=settings.colour_chance),
            transforms.Normalize(IMAGENET_MEAN, IMAGENET_STD),
        ]
    )


class ChannelShift:
    """Adds a number of its own to each channel of a picture in 0..1; `low` and `high` are 0..255 steps."""

    def __init__(self, low: float, high: float) -> None:
        self._low, self._high = low, high

    def __call__(self, picture: Tensor) -> Tensor:
        shift = torch.empty(3, 1, 1).uniform_(self._low, self._high) / 255
        return (picture + shift).clamp(0, 1)


class PlainLoop:
    """The loop.

    Args:
        model: Moved to the device; learns.
        material: At least `steps` batches of it.
        config: Losses, batch size, optimizer, which text layers learn (none or all).
        device: Where to compute.
        steps: In a block.
        workers: Of the DataLoader.
        pad_to_longest: Else every note is padded to the text encoder's longest input.
    """

    def __init__(
        self,
        model: DermNoteModel,
        material: Material,
        config: TrainConfig,
        device: torch.device,
        steps: int,
        *,
        workers: int = 0,
        pad_to_longest: bool = True,
    ) -> None:
        self._model, self._config, self._device, self._steps = model.to(device), config, device, steps
        self._workers = workers
        self._padding = "longest" if pad_to_longest else "max_length"
        encoder = model.text_encoder
        assert encoder is not None
        self._encoder = encoder.requires_grad_(config.text_layers == "all")
        settings = config.augmentation or Augmentation()
        self._loader = DataLoader(
            PictureFiles(material.take(steps * config.batch_size), pil_transforms(config.training_size, settings)),
            batch_size=config.batch_size,
            shuffle=True,
            num_workers=workers,
            pin_memory=device.type == "cuda",
        )
        self._optimizer = plain_optimizer(model, config)

    def run(self) -> Block:
        """A block of steps. With workers the clock starts when they have delivered the first batch."""
        self._model.train()
        if self._config.text_layers == 0:
            self._encoder.eval()
        started, pictures = clock(self._device), 0
        for images, labels, texts in self._loader:
            if not pictures and self._workers:
                started = clock(self._device)
            self._step(images, labels, texts)
            pictures += len(labels)
        return Block(pictures, clock(self._device) - started)

    def _step(self, images: Tensor, labels: Tensor, texts: list[str]) -> None:
        tokens = self._encoder.tokenizer(
            list(texts),
            padding=self._padding,
            truncation=True,
            max_length=self._encoder.max_length,
            return_tensors="pt",
        )
        images, labels = images.to(self._device), labels.to(self._device)
        output = self._model(pixel_values=images, **{name: value.to(self._device) for name, value in tokens.items()})
        loss = plain_loss(output, labels, self._config)
        self._optimizer.zero_grad()
        loss.backward()
        self._optimizer.step()


def plain_optimizer(model: DermNoteModel, config: TrainConfig) -> torch.optim.Optimizer:
    """The optimizer of the config as torch gives it by default."""
    kind = torch.optim.AdamW if config.optimizer == "adamw" else torch.optim.Adam
    learning = [parameter for parameter in model.parameters() if parameter.requires_grad]
    return kind(learning, lr=config.lr, weight_decay=config.weight_decay, amsgrad=config.amsgrad)
