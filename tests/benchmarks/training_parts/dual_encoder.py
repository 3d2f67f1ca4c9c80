"""The peer of the second table: transformers' `VisionTextDualEncoderModel`, trained by its `Trainer`.

The same two encoders (the torchvision network wrapped as a `PreTrainedModel` with a `pooler_output`), batch, precision,
decoded squares and augmentation as ours, and the library's own contrastive loss, optimizer kernels and loop.
"""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset
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

from dermnote.models.image_encoder import ImageEncoder
from dermnote.models.joint_model import DermNoteModel
from tests.benchmarks.training_parts.alternating import Block, clock
from tests.benchmarks.training_parts.material import Material
from tests.benchmarks.training_parts.views import training_views
from train.data.image_cache import Squares
from train.training.train_config import TrainConfig
from train.training.training_data import training_side


class PictureConfig(PretrainedConfig):
    """Says which torchvision network, and how wide its features are."""

    model_type = "dermnote-picture"

    def __init__(self, backbone: str = "densenet121", image_size: int = 224, hidden_size: int = 1024, **more: Any):
        self.backbone, self.image_size, self.hidden_size = backbone, image_size, hidden_size
        super().__init__(**more)


class PictureModel(PreTrainedModel):
    """A torchvision network as transformers wants a vision model; it takes bytes, and changes them as ours are."""

    config_class = PictureConfig
    main_input_name = "pixel_values"
    _supports_sdpa = True

    def __init__(self, config: PictureConfig, encoder: ImageEncoder | None = None) -> None:
        super().__init__(config)
        self.encoder = encoder or ImageEncoder(config.backbone, None, config.image_size)
        self.prepare: Callable[[Tensor], Tensor] = self.encoder.normalise
        self.post_init()

    def _init_weights(self, module: torch.nn.Module) -> None:
        """torchvision's own initial values stay."""

    def forward(self, pixel_values: Tensor, **_: Any) -> BaseModelOutputWithPooling:
        with torch.no_grad():
            pictures = self.prepare(pixel_values)
        features = self.encoder(pictures)
        return BaseModelOutputWithPooling(last_hidden_state=features[:, None], pooler_output=features)


class SquaresAndNotes(Dataset[tuple[Tensor, str]]):
    """(3, L, L) bytes, note."""

    def __init__(self, squares: Squares, texts: Sequence[str]) -> None:
        self._squares, self._texts = squares, texts

    def __len__(self) -> int:
        return len(self._texts)

    def __getitem__(self, row: int) -> tuple[Tensor, str]:
        return self._squares[row], self._texts[row]


class StepTimes(TrainerCallback):
    """When each step ended."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self.ends: list[float] = []

    def on_step_end(self, *_: Any, **__: Any) -> None:
        self.ends.append(clock(self._device))


class DualEncoderTrainer:
    """The library's training of the same pair.

    Args:
        model: Its encoders are copied.
        material: At least `steps` + 1 batches are taken of it.
        config: Batch size, precision, optimizer settings, augmentation.
        device: What the Trainer will choose.
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
            train_dataset=SquaresAndNotes(squares, taken.texts),
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
        """A block of steps, from the end of the first step to the end of the last."""
        self._times.ends.clear()
        self._trainer.train()
        ends = self._times.ends
        return Block((len(ends) - 1) * self._config.batch_size, ends[-1] - ends[0])


def dual_encoder(model: DermNoteModel) -> VisionTextDualEncoderModel:
    """The library's model around copies of our encoders."""
    AutoConfig.register(PictureConfig.model_type, PictureConfig, exist_ok=True)
    encoder, text_encoder = copy.deepcopy(model.image_encoder), model.text_encoder
    assert text_encoder is not None
    config = PictureConfig(encoder.backbone, encoder.image_size, encoder.feature_dim)
    return VisionTextDualEncoderModel(
        vision_model=PictureModel(config, encoder), text_model=copy.deepcopy(text_encoder.model)
    )
