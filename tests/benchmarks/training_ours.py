"""Our training step, the code of `train.fit`, with random weights, on cases of a folder or on drawn lesions."""

from __future__ import annotations

import atexit
import os
import random
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from dermnote.images.opening import encode_jpeg, resize_short_side
from dermnote.metadata import LesionMetadata
from dermnote.models.image_encoder import ImageEncoder
from dermnote.models.joint_model import DermNoteModel
from dermnote.models.text_encoder import TextEncoder
from dermnote.notes.schema import notes_by_case
from dermnote.notes.template import write_template
from dermnote.taxonomy import EIGHT
from tests.benchmarks.figures import Block, clock
from train.data.cases import Cases
from train.data.sources.drawn import read
from train.runtime.launch import make_accelerator, resolve_precision
from train.training.augment import DRAWS
from train.training.checkpoint import Progress
from train.training.note_inputs import NoteInputs
from train.training.train_config import CONFIGS, TrainConfig, load_config
from train.training.training_data import NoteTable, TrainingData
from train.training.training_loop import Training

CACHE_GB = 4.0  # as allowed by `paper.yaml`
STRATEGY = "m"
COLUMNS = ("case_id", "source", "group", "label", "subtype", "description")  # of a synthetic lesion
# Findings as a language model writes them: one sentence of each group, about ninety words in all.
SENTENCES = (
    (
        "The outline is asymmetric in shape and colour, wider towards the upper left than below.",
        "Both halves mirror each other well along either axis, in outline as in colour.",
        "One axis divides it evenly, the other leaves a darker and broader half to the right.",
    ),
    (
        "Its border is poorly defined and merges gradually with the surrounding sun-damaged skin.",
        "A sharp, scalloped border ends abruptly along the lower margin and fades elsewhere.",
        "The border is regular and well circumscribed over its whole length.",
    ),
    (
        "Light brown and dark brown areas are side by side, with a small blue-grey patch near the centre.",
        "The centre is pink to red, with light brown mottled pigmentation along the right side and below.",
        "A uniform tan colour covers it, slightly darker around the openings of the hair follicles.",
    ),
    (
        "A pigment network with irregular holes and thickened lines is seen at the periphery, beside a few black dots.",
        "Fine, sharply focused branching vessels cross the middle; no pigment network can be made out.",
        "Regular globules of one size are spread over the whole lesion, without streaks or regression.",
    ),
    (
        "No ulceration, blue-white veil or shiny white line is evident in the part that is shown.",
        "A scale at the surface and a tiny erosion are visible, and a hair crosses the field.",
        "Comparison with earlier images is advised, since a single view does not show change.",
    ),
)


@dataclass(frozen=True)
class Pair:
    """Sizes of an image encoder and a note encoder.

    Attributes:
        backbone: A torchvision network.
        image_size: Side of its images in pixels.
        bert: What differs from transformers' `BertConfig()`, which is BERT-base.
        max_length: Tokens after which a note is cut, and to which the padding peer pads.
    """

    backbone: str = "densenet121"
    image_size: int = 224
    bert: dict[str, Any] = field(default_factory=dict)
    max_length: int = 512

    @property
    def description(self) -> str:
        """Description in words."""
        text = "BERT-base (12 layers of 768)" if not self.bert else f"a BERT of {self.bert['num_hidden_layers']} layer"
        return f"{self.backbone} at {self.image_size} px and {text}, random weights"


PAPER = Pair()
SMALL = Pair(
    "shufflenet_v2_x0_5",
    32,
    {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 64, "vocab_size": 500},
    128,
)


@dataclass(frozen=True)
class Material:
    """Training data of the benchmark.

    Attributes:
        cases: n cases.
        texts: Their notes, (n,).
        description: Their origin, in words.
    """

    cases: Cases
    texts: tuple[str, ...]
    description: str

    @property
    def labels(self) -> np.ndarray:
        """Class ids, (n,)."""
        return self.cases.table["class_id"].to_numpy(np.int64)

    def notes(self) -> NoteTable:
        """Return the notes as training takes them."""
        notes = {case: {STRATEGY: text} for case, text in zip(self.cases.table["case_id"], self.texts, strict=True)}
        return NoteTable.build(self.cases, notes, 0.0)

    def take(self, count: int) -> Material:
        """Return `count` of them, from the start again where there are fewer."""
        rows = np.resize(np.arange(len(self.texts)), count)
        return replace(self, cases=self.cases.select(rows), texts=tuple(self.texts[row] for row in rows))

    def longer(self, seed: int = 0) -> Material:
        """Return the same with notes as long as a language model's (some ninety words, each its own)."""
        chance = random.Random(seed)
        texts = tuple(" ".join([text, *map(chance.choice, SENTENCES)]) for text in self.texts)
        return replace(self, texts=texts, description=f"{self.description}, notes made as long as a language model's")


def read_material(cases: Path, notes: Path, count: int, seed: int = 0) -> Material:
    """Return `count` training cases with a note, drawn without order from a folder."""
    read_cases = Cases.read(cases, splits=["train"])
    written = notes_by_case(notes, [STRATEGY])
    order = np.random.default_rng(seed).permutation(len(read_cases))
    noted = [row for row in order if STRATEGY in written.get(str(read_cases.table["case_id"].iat[row]), {})][:count]
    chosen = read_cases.select(noted)
    texts = tuple(written[case][STRATEGY] for case in chosen.table["case_id"])
    return Material(chosen, texts, f"{len(chosen)} of {len(read_cases)} training cases of {cases}, their M notes")


def draw_material(count: int) -> Material:
    """Return drawn lesions as they would be stored (short side 256), with the template's note."""
    names = tuple(each.name for each in EIGHT)
    rows, images, texts = [], [], []
    for raw in read(str(count)):
        assert callable(raw.picture)
        images.append(encode_jpeg(resize_short_side(raw.picture())))
        rows.append({**{name: getattr(raw, name) for name in COLUMNS}, "class_id": names.index(str(raw.label))})
        texts.append(write_template(LesionMetadata.from_mapping(rows[-1])))
    summary = {"classnames": list(names), "sources": {"drawn": {}}, "splits": {}}
    cases = Cases(pd.DataFrame(rows), images, names, summary)
    return Material(cases, tuple(texts), f"{count} drawn lesions, their M notes")


@dataclass(frozen=True)
class Setting:
    """Setting of a benchmark run.

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
        """True if a GPU is measured."""
        return self.device.type == "cuda"

    def aim(self, target: float) -> float | None:
        """Return a target that was set for CPU cores; None on a GPU."""
        return None if self.on_gpu else target

    def config(self, **changes: Any) -> TrainConfig:
        """Return `paper.yaml` with the pair's sizes, every image decoded whenever it is needed; compiled on a GPU."""
        values = {"backbone": self.pair.backbone, "image_size": self.pair.image_size}
        values |= {"max_length": self.pair.max_length, "backbone_weights": "null", "epochs": 1000000}
        values |= {"checkpoint_minutes": 1e9, "batch_size": self.batch, "num_workers": self.workers}
        values |= {"cache_gb": 0, "compile": self.on_gpu}
        overrides = [*(f"{name}={value}" for name, value in values.items()), *self.settings]
        config = load_config(CONFIGS / "paper.yaml", overrides).with_values(**changes)
        return config.with_values(precision=resolve_precision(config.precision))

    def model(self) -> DermNoteModel:
        """Return a new model, always with the same weights; its vocabulary is learnt from the notes."""
        from transformers import BertConfig, BertModel

        from dermnote.models.wordpiece import train_wordpiece

        torch.manual_seed(0)
        pair, config = self.pair, BertConfig(**self.pair.bert)
        texts = [*self.material.texts, *self.material.longer().texts]
        tokenizer = train_wordpiece(texts, config.vocab_size, pair.max_length)
        text_encoder = TextEncoder(BertModel(config), tokenizer, pair.max_length, "pooler")
        image_encoder = ImageEncoder(pair.backbone, None, pair.image_size)
        return DermNoteModel(image_encoder, text_encoder, len(self.material.cases.classnames), 128)

    def description(self) -> list[str]:
        """Return the setting as text lines."""
        blocks = f"blocks of {self.steps} steps in turns, {self.repeats} rounds that count after one that does not"
        changed = [f"Our settings: paper.yaml with {', '.join(self.settings)}."] if self.settings else []
        precision = {"no": "float32"}.get(found := self.config().precision, found)
        summary = f"{self.material.description}; ours in {precision}; batches of {self.batch}; {blocks}; medians."
        return [f"{self.pair.description}.", summary, *changed]


class Ours:
    """Our training loop.

    Args:
        model: Model to train.
        material: `steps` batches are taken of it.
        config: Result of `Setting.config`.
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
