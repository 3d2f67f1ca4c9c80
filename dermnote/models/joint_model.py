"""Joint model: two encoders, a projection for each, and one shared head.

Architecture of arXiv 2511.21827 as in its authors' related code: features -> Linear (one for each modality) -> one
shared Linear = the embedding used for search -> one shared Linear = the class logits. No fusion: an image is
classified without its note.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from pathlib import Path

from torch import Tensor, nn

from dermnote.config import DermNoteConfig
from dermnote.errors import BundleError
from dermnote.models.image_encoder import ImageEncoder
from dermnote.models.text_encoder import TextEncoder, tokenizer_state
from dermnote.models.weights import REBUILD, hash_tensors, load_strict, save_tensors

_NO_TEXT = "This model was trained on images alone and cannot encode a note."


@dataclass
class ModelOutput:
    """Output of a forward pass; None for a modality without input.

    Attributes:
        image_embedding: (B, embed_dim), not normalised.
        text_embedding: (B, embed_dim), not normalised.
        image_logits: (B, classes).
        text_logits: (B, classes).
    """

    image_embedding: Tensor | None = None
    text_embedding: Tensor | None = None
    image_logits: Tensor | None = None
    text_logits: Tensor | None = None


class DermNoteModel(nn.Module):
    """Images and notes to a shared embedding space and class logits.

    Args:
        image_encoder: Images to features.
        text_encoder: Notes to features; None for an image-only model.
        num_classes: Number of classes.
        embed_dim: Width of the shared embedding.
    """

    def __init__(
        self, image_encoder: ImageEncoder, text_encoder: TextEncoder | None, num_classes: int, embed_dim: int = 128
    ) -> None:
        super().__init__()
        self.image_encoder, self.text_encoder = image_encoder, text_encoder
        self.image_projection = nn.Linear(image_encoder.feature_dim, embed_dim)
        self.text_projection = nn.Linear(text_encoder.feature_dim, embed_dim) if text_encoder else None
        self.shared = nn.Linear(embed_dim, embed_dim)
        self.classifier = nn.Linear(embed_dim, num_classes)

    @property
    def embed_dim(self) -> int:
        """Width of the shared embedding."""
        return self.shared.out_features

    @property
    def num_classes(self) -> int:
        """Number of classes."""
        return self.classifier.out_features

    def encode_image(self, pixel_values: Tensor) -> Tensor:
        """Encode normalised images (B, 3, S, S) to embeddings (B, embed_dim), not normalised."""
        embedding: Tensor = self.shared(self.image_projection(self.image_encoder(pixel_values)))
        return embedding

    def encode_text(self, **tokens: Tensor) -> Tensor:
        """Encode tokens of notes, each (B, L), to embeddings (B, embed_dim), not normalised."""
        if self.text_encoder is None:
            raise BundleError(_NO_TEXT)
        return self.encode_text_features(self.text_encoder(**tokens))

    def encode_text_features(self, features: Tensor) -> Tensor:
        """Project text features (B, feature_dim) to embeddings (B, embed_dim), not normalised."""
        if self.text_projection is None:
            raise BundleError(_NO_TEXT)
        embedding: Tensor = self.shared(self.text_projection(features))
        return embedding

    def classify(self, embedding: Tensor) -> Tensor:
        """Classify embeddings (B, embed_dim) of either modality to logits (B, classes)."""
        logits: Tensor = self.classifier(embedding)
        return logits

    def forward(
        self, pixel_values: Tensor | None = None, text_features: Tensor | None = None, **tokens: Tensor
    ) -> ModelOutput:
        """Encode and classify images, and notes as tokens or as precomputed text features."""
        output = ModelOutput()
        if pixel_values is not None:
            output.image_embedding = self.encode_image(pixel_values)
            output.image_logits = self.classify(output.image_embedding)
        if text_features is not None:
            output.text_embedding = self.encode_text_features(text_features)
        elif tokens:
            output.text_embedding = self.encode_text(**tokens)
        if output.text_embedding is not None:
            output.text_logits = self.classify(output.text_embedding)
        return output

    def fingerprint(self, dtype: str | None = None) -> str:
        """Return the sha256 over all tensors (as a file of `dtype` restores them), preprocessing and tokenizer."""
        digest = hashlib.sha256(json.dumps(self.image_encoder.settings(), sort_keys=True).encode())
        hash_tensors(digest, self.state_dict(), dtype)
        if self.text_encoder is not None:
            digest.update(f"{self.text_encoder.max_length}:{self.text_encoder.pooling}:".encode())
            digest.update(tokenizer_state(self.text_encoder.tokenizer).encode())
        return digest.hexdigest()

    def save_pretrained(self, folder: str | Path, config: DermNoteConfig, dtype: str | None = None) -> DermNoteConfig:
        """Write config.json, image_encoder/, text_encoder/ and model.safetensors (projections and heads).

        Args:
            folder: Created if missing; not replaced atomically (see `dermnote.storage.replacing_folder`).
            config: Its fingerprint is filled in.
            dtype: "float16" halves the files; they load as float32.

        Returns:
            The config as written.
        """
        actual = (self.num_classes, self.embed_dim, self.text_encoder is not None)
        stated = (len(config.classnames), config.embed_dim, config.multimodal)
        if actual != stated:
            raise BundleError(
                f"The config has (classes, embed_dim, multimodal) = {stated}, but the model has {actual}."
            )
        target = Path(folder)
        target.mkdir(parents=True, exist_ok=True)
        config = replace(config, fingerprint=self.fingerprint(dtype))
        self.image_encoder.save_pretrained(target / "image_encoder", dtype)
        if self.text_encoder is not None:
            self.text_encoder.save_pretrained(target / "text_encoder", dtype)
        save_tensors(self._heads().state_dict(), target / "model.safetensors", dtype)
        config.save(target / "config.json")
        return config

    @classmethod
    def from_pretrained(cls, folder: str | Path) -> tuple[DermNoteModel, DermNoteConfig]:
        """Load a model from a local folder, in eval mode and float32.

        Raises:
            BundleError: A file or tensor is missing, unexpected, damaged or of another shape.
        """
        source = Path(folder)
        config = DermNoteConfig.load(source / "config.json")
        if (source / "text_encoder").is_dir() != config.multimodal:
            problem = "names note strategies but has no" if config.multimodal else "names no note strategy but has a"
            raise BundleError(f"{source} {problem} text_encoder folder.", REBUILD)
        for part in ("image_encoder", *(["text_encoder"] if config.multimodal else [])):
            if not (source / part / "config.json").is_file():
                raise BundleError(f"{source / part / 'config.json'} is missing.", REBUILD)
        image_encoder = ImageEncoder.from_pretrained(source / "image_encoder")
        text_encoder = TextEncoder.from_pretrained(source / "text_encoder") if config.multimodal else None
        model = cls(image_encoder, text_encoder, len(config.classnames), config.embed_dim)
        load_strict(model._heads(), source / "model.safetensors")
        return model.eval(), config

    def _heads(self) -> nn.ModuleDict:
        """Return projections and heads under their names in the file; they share their parameters with this model."""
        names = ("image_projection", "text_projection", "shared", "classifier")
        return nn.ModuleDict({name: getattr(self, name) for name in names if getattr(self, name) is not None})
