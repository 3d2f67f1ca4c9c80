"""The owner's limits on asking a language model, read once at start from the environment."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

from dermnote.app.llm_quota.quota import Allowance
from dermnote.app.llm_quota.refusal import MAX_USD, PER_HOUR
from dermnote.errors import ConfigError
from dermnote.llm.prices import find_price, read_prices
from dermnote.notes.writing import NoteWriter

PRICES = "DERMNOTE_LLM_PRICES"
ON_A_SPACE = 20  # requests an hour of one visitor, where everybody may press and the owner pays


def read_allowance(environment: Mapping[str, str], writer: NoteWriter | None = None) -> Allowance:
    """What the environment allows.

    DERMNOTE_LLM_PER_HOUR is how many requests one visitor may cause in an hour; without it there is no limit, on a
    Hugging Face Space one of 20. DERMNOTE_LLM_MAX_USD is what all visitors together may cost in a day.
    DERMNOTE_LLM_PRICES names a file of prices laid over `dermnote/llm/prices.yaml`, as `--prices` of
    `train.generate_notes` does.

    Args:
        environment: The variables; SPACE_ID says that this is a Space.
        writer: What asks; None takes what the app's own would be.

    Raises:
        DermNoteError: A value cannot be meant, or a sum is set and the model's price is unknown.
    """
    per_hour = _per_hour(environment)
    max_usd = _max_usd(environment.get(MAX_USD, "").strip())
    writer, file = writer or NoteWriter(), environment.get(PRICES, "").strip()
    price = find_price(read_prices(Path(file) if file else None), writer.model, local=writer.is_local)
    if max_usd is not None and price is None and writer.is_set_up:
        hint = f"Name its price in a file for {PRICES} (see dermnote/llm/prices.yaml), or leave {MAX_USD} out."
        raise ConfigError(f"{MAX_USD} cannot be kept: the price of {writer.model} is unknown.", hint)
    return Allowance(per_hour, max_usd, price)


def _per_hour(environment: Mapping[str, str]) -> int | None:
    setting = environment.get(PER_HOUR, "").strip()
    if not setting:
        return ON_A_SPACE if environment.get("SPACE_ID") else None
    if not (setting.isdecimal() and len(setting) < 7 and int(setting) > 0):
        raise ConfigError(f"{PER_HOUR} is '{setting}'.", "It is a whole number from 1 to 999999.")
    return int(setting)


def _max_usd(setting: str) -> float | None:
    if not setting:
        return None
    try:
        dollars = float(setting)
    except ValueError:
        dollars = math.nan
    if not 0 < dollars < math.inf:
        raise ConfigError(f"{MAX_USD} is '{setting}'.", "It is a number of US dollars above 0, such as 2.50.")
    return dollars
