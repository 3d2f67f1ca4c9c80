"""The two encoders of the comparison, from their configs with random weights: nothing is downloaded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from dermnote.models.image_encoder import ImageEncoder
from dermnote.models.joint_model import DermNoteModel
from dermnote.models.text_encoder import TextEncoder


@dataclass(frozen=True)
class Pair:
    """Sizes of a picture encoder and a note encoder.

    Attributes:
        backbone: A torchvision network.
        image_size: Side of its pictures in pixels.
        bert: What differs from transformers' `BertConfig()`, which is BERT-base.
        max_length: Tokens after which a note is cut, and to which the padding peer pads.
    """

    backbone: str = "densenet121"
    image_size: int = 224
    bert: dict[str, Any] = field(default_factory=dict)
    max_length: int = 512

    @property
    def told(self) -> str:
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
