"""The published model's settings: plain JSON in and out, nothing unknown accepted."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path

from dermnote.errors import BundleError, ConfigError, IndexQueryError
from dermnote.settings import build

FORMAT_VERSION = 1


@dataclass(frozen=True)
class DermNoteConfig:
    """What a bundle's `config.json` holds. The encoders keep their own settings in their own folders.

    Attributes:
        classnames: Class names; position is the class id the classifier predicts.
        embed_dim: Width of the shared embedding.
        temperature: Divides the logits before softmax; fitted on validation cases, 1.0 if it was not.
        strategies: Note strategies the text branch was trained on; empty for an image-only model.
        sources: Names of the data sources trained on.
        licence: Licence of the weights (an SPDX id in the Hub's spelling).
        gallery: One sentence on what the index holds, shown wherever hits are shown.
        fingerprint: sha256 over all weights; an index made by another model has another one.
        format_version: Layout of the bundle.
    """

    classnames: tuple[str, ...] = ()
    embed_dim: int = 128
    temperature: float = 1.0
    strategies: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    licence: str = "other"
    gallery: str = ""
    fingerprint: str = ""
    format_version: int = FORMAT_VERSION

    def __post_init__(self) -> None:
        for name in ("classnames", "strategies", "sources"):  # JSON has no tuples
            object.__setattr__(self, name, tuple(getattr(self, name)))
        if not self.classnames:
            raise ConfigError("A model needs at least one class name.")
        if self.embed_dim < 1:
            raise ConfigError(f"embed_dim must be at least 1, not {self.embed_dim}.")
        if not 0 < self.temperature < math.inf:  # nor NaN, which JSON lets through
            raise ConfigError(f"temperature must be above 0, not {self.temperature}.")

    @property
    def multimodal(self) -> bool:
        """Whether the model has a text branch."""
        return bool(self.strategies)

    def class_id(self, label: str) -> int:
        """The number of a class.

        Raises:
            IndexQueryError: The model does not know it.
        """
        if label not in self.classnames:
            raise IndexQueryError(f"The model knows no class '{label}'.", f"It knows {', '.join(self.classnames)}.")
        return self.classnames.index(label)

    @classmethod
    def load(cls, path: str | Path) -> DermNoteConfig:
        """Reads `config.json`.

        Raises:
            BundleError: The file is missing, is not JSON, or has a newer format, or a key or value that is none.
        """
        try:
            values = json.loads(Path(path).read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise BundleError(f"{path} is missing.", "Is this a DermNote bundle?") from error
        except ValueError as error:
            raise BundleError(f"{path} is not valid JSON ({error}).") from error
        if not isinstance(values, dict):
            raise BundleError(f"{path} does not hold a JSON object.")
        version = values.get("format_version")
        if version != FORMAT_VERSION:
            raise BundleError(
                f"{path} has bundle format {version}; this DermNote reads format {FORMAT_VERSION}.",
                "Install the DermNote version that the bundle's card names.",
            )
        try:
            return build(cls, values, str(path))
        except ConfigError as error:
            raise BundleError(error.message, error.hint) from error

    def save(self, path: str | Path) -> None:
        """Writes `config.json`, with stable key order and a final newline."""
        Path(path).write_text(json.dumps(asdict(self), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
