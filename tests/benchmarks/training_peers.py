"""Peers of the training benchmark: a plain training loop, and transformers' dual encoder in its Trainer."""

from __future__ import annotations

import copy
import io
import tempfile
from collections.abc import Callable, Sequence
from typing import Any

import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, StackDataset
from torchvision import transforms
from transformers import (
    AutoConfig,
    PretrainedConfig,
    PreTrainedModel,
    PrinterCallback,
    Trainer,
    TrainerCallback,
    TrainingArguments,
    VisionTextDualEncoderModel,
)
from transformers.modeling_outputs import BaseModelOutputWithPooling

from dermnote.models.image_encoder import IMAGENET_MEAN, IMAGENET_STD, ImageEncoder
from dermnote.models.joint_model import DermNoteModel
from tests.benchmarks.figures import Block, clock
from tests.benchmarks.training_ours import Material
from train.data.image_cache import Squares
from train.training.augment import DRAWS, augment
from train.training.losses import loss_parts, total
from train.training.train_config import Augmentation, TrainConfig
from train.training.training_data import training_side

_NUMBERS = torch.Generator().manual_seed(0)


def training_views(pixels: Tensor, config: TrainConfig) -> Tensor:
    """Augment (B, 3, L, L) bytes to (B, 3, S, S) in 0..255."""
    settings = config.augmentation
    if settings is None:
        return pixels
    return augment(pixels, config.training_size, settings, torch.rand(len(pixels), DRAWS, generator=_NUMBERS))


class ImageFiles(Dataset[tuple[Tensor, int, str]]):
    """(3, S, S) float32, class id, note."""

    def __init__(self, material: Material, transform: Any) -> None:
        self._material, self._labels, self._transform = material, material.labels, transform

    def __len__(self) -> int:
        return len(self._labels)

    def __getitem__(self, row: int) -> tuple[Tensor, int, str]:
        image = Image.open(io.BytesIO(self._material.cases.images[row])).convert("RGB")
        return self._transform(image), int(self._labels[row]), self._material.texts[row]


def pil_transforms(size: int, settings: Augmentation) -> Any:
    """Return the changes of `train.training.augment`, each made by torchvision on one PIL image."""
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
    """Adds a number of its own to each channel of an image in 0..1; `low` and `high` are 0..255 steps."""

    def __init__(self, low: float, high: float) -> None:
        self._low, self._high = low, high

    def __call__(self, image: Tensor) -> Tensor:
        shift = torch.empty(3, 1, 1).uniform_(self._low, self._high) / 255
        return (image + shift).clamp(0, 1)


class PlainLoop:
    """Plain training loop.

    Args:
        model: Model to train, moved to the device.
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
            ImageFiles(material.take(steps * config.batch_size), pil_transforms(config.training_size, settings)),
            batch_size=config.batch_size,
            shuffle=True,
            num_workers=workers,
            pin_memory=device.type == "cuda",
        )
        kind = torch.optim.AdamW if config.optimizer == "adamw" else torch.optim.Adam
        learning = [parameter for parameter in model.parameters() if parameter.requires_grad]
        self._optimizer = kind(learning, lr=config.lr, weight_decay=config.weight_decay, amsgrad=config.amsgrad)

    def run(self) -> Block:
        """Run a block of steps. With workers the clock starts when they have delivered the first batch."""
        self._model.train()
        if self._config.text_layers == 0:
            self._encoder.eval()
        started, count = clock(self._device), 0
        for images, labels, texts in self._loader:
            if not count and self._workers:
                started = clock(self._device)
            self._step(images, labels, texts)
            count += len(labels)
        return Block(count, clock(self._device) - started)

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
        loss = total(loss_parts(output, labels, None, self._config), self._config)
        self._optimizer.zero_grad()
        loss.backward()
        self._optimizer.step()


class ImageConfig(PretrainedConfig):
    """Config of a torchvision network with features of `hidden_size`."""

    model_type = "dermnote-image"

    def __init__(self, backbone: str = "densenet121", image_size: int = 224, hidden_size: int = 1024, **more: Any):
        self.backbone, self.image_size, self.hidden_size = backbone, image_size, hidden_size
        super().__init__(**more)


class ImageModel(PreTrainedModel):
    """A torchvision network as transformers wants a vision model; it takes bytes, and changes them as ours are."""

    config_class = ImageConfig
    main_input_name = "pixel_values"
    _supports_sdpa = True

    def __init__(self, config: ImageConfig, encoder: ImageEncoder | None = None) -> None:
        super().__init__(config)
        self.encoder = encoder or ImageEncoder(config.backbone, None, config.image_size)
        self.prepare: Callable[[Tensor], Tensor] = self.encoder.normalise
        self.post_init()

    def _init_weights(self, module: torch.nn.Module) -> None:
        """torchvision's own initial values stay."""

    def forward(self, pixel_values: Tensor, **_: Any) -> BaseModelOutputWithPooling:
        with torch.no_grad():
            images = self.prepare(pixel_values)
        features = self.encoder(images)
        return BaseModelOutputWithPooling(last_hidden_state=features[:, None], pooler_output=features)


class StepTimes(TrainerCallback):
    """Records when each step ended."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self.ends: list[float] = []

    def on_step_end(self, *_: Any, **__: Any) -> None:
        self.ends.append(clock(self._device))


class DualEncoderTrainer:
    """Training of the same pair by transformers.

    Args:
        model: Its encoders are copied.
        material: At least `steps` + 1 batches are taken of it.
        config: Batch size, precision, optimizer settings, augmentation.
        device: Device that the Trainer will choose.
        steps: In a block; one more goes before it, uncounted.
    """

    def __init__(
        self, model: DermNoteModel, material: Material, config: TrainConfig, device: torch.device, steps: int
    ) -> None:
        self._config, self._steps, self._times = config, steps, StepTimes(device)
        text_encoder = model.text_encoder
        assert text_encoder is not None
        self._tokenize = text_encoder.tokenize
        taken = material.take((steps + 1) * config.batch_size)
        squares = Squares(taken.cases.images, training_side(config), config.cache_gb * 1e9 / 2)
        self._folder = tempfile.TemporaryDirectory()
        double = dual_encoder(model)
        encoder = double.vision_model.encoder
        double.vision_model.prepare = lambda pixels: encoder.normalise(training_views(pixels, config))
        self._trainer = Trainer(
            model=double,
            args=self._arguments(device),
            train_dataset=StackDataset(squares, taken.texts),
            data_collator=self._collate,
            callbacks=[self._times],
        )
        self._trainer.remove_callback(PrinterCallback)

    def _arguments(self, device: torch.device) -> TrainingArguments:
        config = self._config
        return TrainingArguments(
            output_dir=self._folder.name,
            per_device_train_batch_size=config.batch_size,
            max_steps=self._steps + 1,
            learning_rate=config.lr,
            weight_decay=config.weight_decay,
            lr_scheduler_type="constant",
            bf16=config.precision == "bf16",
            use_cpu=device.type == "cpu",
            dataloader_num_workers=config.num_workers,
            remove_unused_columns=False,
            save_strategy="no",
            logging_strategy="no",
            report_to=[],
            disable_tqdm=True,
            seed=config.seed,
        )

    def _collate(self, rows: Sequence[tuple[Tensor, str]]) -> dict[str, Any]:
        pixels, texts = zip(*rows, strict=True)
        return {"pixel_values": torch.stack(pixels), "return_loss": True, **self._tokenize(texts)}

    def run(self) -> Block:
        """Run a block of steps, from the end of the first step to the end of the last."""
        self._times.ends.clear()
        self._trainer.train()
        ends = self._times.ends
        return Block((len(ends) - 1) * self._config.batch_size, ends[-1] - ends[0])


def dual_encoder(model: DermNoteModel) -> VisionTextDualEncoderModel:
    """Return the library's model around copies of our encoders."""
    AutoConfig.register(ImageConfig.model_type, ImageConfig, exist_ok=True)
    encoder, text_encoder = copy.deepcopy(model.image_encoder), model.text_encoder
    assert text_encoder is not None
    config = ImageConfig(encoder.backbone, encoder.image_size, encoder.feature_dim)
    return VisionTextDualEncoderModel(
        vision_model=ImageModel(config, encoder), text_model=copy.deepcopy(text_encoder.model)
    )
