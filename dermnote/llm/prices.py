"""What tokens cost, and how many a picture is: `prices.yaml`, or the user's own file laid over it."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from dermnote.config import build
from dermnote.errors import NotesError
from dermnote.llm.llm_errors import Usage

BUILT_IN = Path(__file__).with_name("prices.yaml")
TILE, SHORT_SIDE = 512, 768  # px
PATCH, MOST_PATCHES = 32, 1536
DATED = re.compile(r"-\d{4}-\d{2}-\d{2}$")  # gpt-4o-mini-2024-07-18 costs what gpt-4o-mini does


@dataclass(frozen=True)
class PictureTokens:
    """How a picture is counted: by tiles, or by patches if `patch` is given.

    Attributes:
        low: Tokens of a picture at low detail.
        base: At high detail, for the picture.
        tile: At high detail, for each tile.
        patch: For each patch, at any detail.
    """

    low: float = 85
    base: float = 85
    tile: float = 170
    patch: float | None = None

    def count(self, size: tuple[int, int], detail: str) -> int:
        """Tokens of a picture of this width and height in pixels."""
        width, height = size
        if self.patch is not None:
            patches = math.ceil(width / PATCH) * math.ceil(height / PATCH)
            return math.ceil(self.patch * min(patches, MOST_PATCHES))
        if detail == "low":
            return math.ceil(self.low)
        scale = SHORT_SIDE / min(size)  # as the rule is written; a server that does not enlarge counts fewer
        tiles = math.ceil(width * scale / TILE) * math.ceil(height * scale / TILE)
        return math.ceil(self.base + self.tile * tiles)


@dataclass(frozen=True)
class Price:
    """What one model costs.

    Attributes:
        input: USD for a million tokens sent.
        output: USD for a million tokens answered.
        batch: Share of it that the Batch API takes.
        picture: How pictures are counted.
    """

    input: float
    output: float
    batch: float = 0.5
    picture: PictureTokens = PictureTokens()

    def cost(self, usage: Usage, *, batch: bool = False) -> float:
        """USD."""
        full = (usage.prompt_tokens * self.input + usage.completion_tokens * self.output) / 1e6
        return full * self.batch if batch else full


FREE = Price(0.0, 0.0)


def read_prices(path: Path | None = None) -> dict[str, Price]:
    """Prices by model: the built-in ones, and those of the user's file over them.

    Raises:
        NotesError: The file is missing or is no such table.
        ConfigError: A price has an unknown key or a wrong value.
    """
    return _read(BUILT_IN) | (_read(path) if path else {})


def find_price(prices: Mapping[str, Price], model: str, *, local: bool) -> Price | None:
    """A model's price; None if it is unknown. What a local server does is free unless the table names the model."""
    return prices.get(model) or prices.get(DATED.sub("", model)) or (FREE if local else None)


def _read(path: Path) -> dict[str, Price]:
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise NotesError(f"The prices {path} cannot be read as YAML.", f"See {BUILT_IN} for the pattern.") from error
    models = values.get("models") if isinstance(values, Mapping) else None
    if not isinstance(models, Mapping) or not all(isinstance(each, Mapping) for each in models.values()):
        raise NotesError(f"{path} has no 'models' with a price each.", f"See {BUILT_IN} for the pattern.")
    for name, price in models.items():
        if not {"input", "output"} <= set(price):
            raise NotesError(f"{path}: {name} needs 'input' and 'output'.", f"See {BUILT_IN} for the pattern.")
    found = {str(name): build(Price, price, f"{path} ({name})") for name, price in models.items()}
    for name, price in found.items():
        if not all(0 <= each < math.inf for each in (price.input, price.output, price.batch)):
            raise NotesError(f"{path}: the price of {name} must be numbers from 0 on.")
    return found
