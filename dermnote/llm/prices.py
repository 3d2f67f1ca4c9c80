"""Cost of requests: price tables, token estimates, and a spending limit."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from dermnote.config import build
from dermnote.errors import NotesError
from dermnote.llm.chat_request import ChatRequest
from dermnote.llm.llm_errors import Usage

BUILT_IN = Path(__file__).with_name("prices.yaml")
TILE, SHORT_SIDE = 512, 768  # px
PATCH, MOST_PATCHES = 32, 1536
DATED = re.compile(r"-\d{4}-\d{2}-\d{2}$")  # gpt-4o-mini-2024-07-18 has the price of gpt-4o-mini
# Tokens are estimated from the length in bytes, as no tokenizer is available.
BYTES_PER_TOKEN = 4.0  # English prose has 4 to 5
FEWEST_BYTES_PER_TOKEN = 2.5  # JSON and rare words
OVERHEAD = 30  # tokens of roles and separators
USUAL_SHARE = 0.4  # of the token limit that an answer takes


@dataclass(frozen=True)
class ImageTokens:
    """Token count of an image: by tiles, or by patches if `patch` is given.

    Attributes:
        low: Tokens of an image at low detail.
        base: Tokens of an image at high detail, without its tiles.
        tile: Tokens of a tile at high detail.
        patch: Tokens of a patch, at any detail.
    """

    low: float = 85
    base: float = 85
    tile: float = 170
    patch: float | None = None

    def count(self, size: tuple[int, int], detail: str) -> int:
        """Return the tokens of an image of this width and height in pixels."""
        width, height = size
        if self.patch is not None:
            patches = math.ceil(width / PATCH) * math.ceil(height / PATCH)
            return math.ceil(self.patch * min(patches, MOST_PATCHES))
        if detail == "low":
            return math.ceil(self.low)
        scale = SHORT_SIDE / min(size)  # the provider's rule; a server that does not enlarge counts fewer
        tiles = math.ceil(width * scale / TILE) * math.ceil(height * scale / TILE)
        return math.ceil(self.base + self.tile * tiles)


@dataclass(frozen=True)
class Price:
    """Price of one model.

    Attributes:
        input: USD per million tokens sent.
        output: USD per million tokens received.
        batch: Factor of the Batch API.
        picture: Token count of images.
    """

    input: float
    output: float
    batch: float = 0.5
    picture: ImageTokens = ImageTokens()

    def cost(self, usage: Usage, *, batch: bool = False) -> float:
        """Return the cost in USD."""
        full = (usage.prompt_tokens * self.input + usage.completion_tokens * self.output) / 1e6
        return full * self.batch if batch else full


FREE = Price(0.0, 0.0)


def read_prices(path: Path | None = None) -> dict[str, Price]:
    """Return prices by model: the built-in ones, overridden by those of the user's file.

    Raises:
        NotesError: The file is missing or is not a price table.
        ConfigError: A price has an unknown key or a wrong value.
    """
    return _read(BUILT_IN) | (_read(path) if path else {})


def find_price(prices: Mapping[str, Price], model: str, *, local: bool) -> Price | None:
    """Return a model's price; None if unknown. A local server is free unless the table names the model."""
    return prices.get(model) or prices.get(DATED.sub("", model)) or (FREE if local else None)


def _read(path: Path) -> dict[str, Price]:
    example = f"See {BUILT_IN} for the pattern."
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise NotesError(f"The prices {path} cannot be read as YAML.", example) from error
    models = values.get("models") if isinstance(values, Mapping) else None
    if not isinstance(models, Mapping) or not all(isinstance(each, Mapping) for each in models.values()):
        raise NotesError(f"{path} has no 'models' with a price each.", example)
    prices = {}
    for name, entry in models.items():
        if not {"input", "output"} <= set(entry):
            raise NotesError(f"{path}: {name} needs 'input' and 'output'.", example)
        price = build(Price, entry, f"{path} ({name})")
        if not all(0 <= each < math.inf for each in (price.input, price.output, price.batch)):
            raise NotesError(f"{path}: the price of {name} must be numbers from 0 on.")
        prices[str(name)] = price
    return prices


@dataclass(frozen=True)
class Estimate:
    """Estimated tokens of a request.

    Attributes:
        usual: Expected tokens.
        once: Upper bound for one sending, a repair included.
        worst: Upper bound for the request and its repair, with every answer at its limit.
    """

    usual: Usage
    once: Usage
    worst: Usage


def estimate_sized(
    request: ChatRequest, size: tuple[int, int], picture: ImageTokens, *, repairs: bool = True
) -> Estimate:
    """Estimate a request's tokens before it is sent.

    Args:
        request: The request.
        size: Width and height in pixels of the image that is sent (see `payload_size`).
        picture: The model's token count of images.
        repairs: Whether a malformed answer is sent back once.
    """
    length = len((request.system + request.text).encode()) + len(json.dumps(request.schema))
    image = picture.count(size, request.detail) if request.uses_image else 0
    limit = request.max_tokens
    most = int(length / FEWEST_BYTES_PER_TOKEN) + OVERHEAD + image
    usual = Usage(int(length / BYTES_PER_TOKEN) + OVERHEAD + image, int(limit * USUAL_SHARE), 1)
    first = Usage(most, limit, 1)
    if not repairs:
        return Estimate(usual, first, first)
    repair = Usage(most + 2 * OVERHEAD + limit, limit, 1)  # the whole request again, with the first answer
    return Estimate(usual, repair, first + repair)


class Budget:
    """Spending limit for concurrent requests: a request is admitted only if its worst case fits.

    Args:
        limit: Limit in USD; None for no limit.
        price: The model's price; None if unknown, which requires that there is no limit.
        batch: Whether batch prices apply.

    Attributes:
        spent: USD.
        guessed: Number of requests of unknown usage, which count with their upper bound.
    """

    def __init__(self, limit: float | None, price: Price | None, *, batch: bool = False) -> None:
        self.limit, self.price, self.batch = limit, price, batch
        self.spent = 0.0
        self.guessed = 0
        self._reserved = 0.0
        self._under_way = 0

    @property
    def idle(self) -> bool:
        """True if no admitted request is under way, so that waiting frees nothing."""
        return not self._under_way

    def admit(self, worst: Usage) -> bool:
        """Reserve the worst-case cost of a request; False if it does not fit."""
        if not self.has_room(worst):
            return False
        self._reserved += self._cost(worst)
        self._under_way += 1
        return True

    def has_room(self, worst: Usage) -> bool:
        """Return whether this usage fits beside all requests under way."""
        return self.limit is None or self.spent + self._reserved + self._cost(worst) <= self.limit

    def settle(self, worst: Usage, used: Usage) -> None:
        """Release the reservation of a request, and count the tokens it used."""
        self._under_way -= 1
        self._reserved = self._reserved - self._cost(worst) if self._under_way else 0.0
        if used.requests and not used.prompt_tokens:  # a server that does not count tokens
            self.guess(worst)
        else:
            self.count(used)

    def guess(self, most: Usage) -> None:
        """Count the upper bound of a request whose answer, and with it its usage, was lost."""
        self.guessed += 1
        self.count(most)

    def count(self, used: Usage) -> None:
        """Count used tokens."""
        self.spent += self._cost(used)

    def _cost(self, usage: Usage) -> float:
        return self.price.cost(usage, batch=self.batch) if self.price else 0.0
