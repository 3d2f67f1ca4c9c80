"""Encoders with random weights, images and notes to measure on: cases of a folder, or synthetic lesions."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from dermnote.images.opening import encode_jpeg, resize_short_side
from dermnote.metadata import LesionMetadata
from dermnote.models.image_encoder import ImageEncoder
from dermnote.models.joint_model import DermNoteModel
from dermnote.models.text_encoder import TextEncoder
from dermnote.notes.schema import notes_by_case
from dermnote.notes.template import write_template
from dermnote.taxonomy import EIGHT
from train.data.cases import Cases
from train.data.sources.drawn import read
from train.training.training_data import NoteTable


@dataclass(frozen=True)
class Pair:
    """Sizes of a image encoder and a note encoder.

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
        """In words."""
        text = "BERT-base (12 layers of 768)" if not self.bert else f"a BERT of {self.bert['num_hidden_layers']} layer"
        return f"{self.backbone} at {self.image_size} px and {text}, random weights"


PAPER = Pair()
SMALL = Pair(
    "shufflenet_v2_x0_5",
    32,
    {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 64, "vocab_size": 500},
    128,
)


def build(pair: Pair, texts: Sequence[str], classes: int, embed_dim: int = 128, seed: int = 0) -> DermNoteModel:
    """The model, the same weights for the same arguments; its vocabulary is learnt from `texts`."""
    from transformers import BertConfig, BertModel

    from dermnote.models.wordpiece import train_wordpiece

    torch.manual_seed(seed)
    config = BertConfig(**pair.bert)
    tokenizer = train_wordpiece(texts, config.vocab_size, pair.max_length)
    text_encoder = TextEncoder(BertModel(config), tokenizer, pair.max_length, "pooler")
    return DermNoteModel(ImageEncoder(pair.backbone, None, pair.image_size), text_encoder, classes, embed_dim)


STRATEGY = "m"
COLUMNS = ("case_id", "source", "group", "label", "subtype", "description")  # of a synthetic lesion
# What a language model adds to a diagnosis: of each group one sentence, some ninety words in all.
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
        "Light brown and dark brown areas lie side by side, with a small blue-grey patch near the centre.",
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
class Material:
    """What a run of the benchmark learns from.

    Attributes:
        cases: n cases.
        texts: Their notes, (n,).
        description: Where both come from, in words.
    """

    cases: Cases
    texts: tuple[str, ...]
    description: str

    @property
    def labels(self) -> np.ndarray:
        """Class ids, (n,)."""
        return self.cases.table["class_id"].to_numpy(np.int64)

    def notes(self) -> NoteTable:
        """The notes as training takes them."""
        notes = {case: {STRATEGY: text} for case, text in zip(self.cases.table["case_id"], self.texts, strict=True)}
        return NoteTable.build(self.cases, notes, 0.0)

    def take(self, count: int) -> Material:
        """`count` of them, from the start again where there are fewer."""
        rows = np.resize(np.arange(len(self.texts)), count)
        return replace(self, cases=self.cases.select(rows), texts=tuple(self.texts[row] for row in rows))

    def longer(self, seed: int = 0) -> Material:
        """With notes as long as a language model's (some ninety words, each its own)."""
        chance = random.Random(seed)
        texts = tuple(" ".join([text, *map(chance.choice, SENTENCES)]) for text in self.texts)
        return replace(self, texts=texts, description=f"{self.description}, notes made as long as a language model's")


def read_material(cases: Path, notes: Path, count: int, seed: int = 0) -> Material:
    """`count` training cases with a note, drawn without order from a folder."""
    read_cases = Cases.read(cases, splits=["train"])
    written = notes_by_case(notes, [STRATEGY])
    order = np.random.default_rng(seed).permutation(len(read_cases))
    noted = [row for row in order if STRATEGY in written.get(str(read_cases.table["case_id"].iat[row]), {})][:count]
    chosen = read_cases.select(noted)
    texts = tuple(written[case][STRATEGY] for case in chosen.table["case_id"])
    return Material(chosen, texts, f"{len(chosen)} of {len(read_cases)} training cases of {cases}, their M notes")


def draw_material(count: int) -> Material:
    """Drawn lesions as they would be stored (short side 256), with the template's note."""
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
