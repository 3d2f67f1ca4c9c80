"""Metered requests to a language model: limits from the environment, visitor addresses, and the metered writer."""

from __future__ import annotations

import ipaddress
import math
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, cast

from dermnote.app.llm_quota.quota import MAX_USD, PER_HOUR, Allowance
from dermnote.errors import ConfigError
from dermnote.llm.chat_request import LONGEST_SIDE
from dermnote.llm.prices import Estimate, estimate_sized, find_price, read_prices
from dermnote.notes.note_request import RequestBuilder
from dermnote.notes.strategies import Strategy, get_strategy
from dermnote.notes.writing import NoteWriter
from dermnote.vocabularies.vocabulary import dermoscopy

if TYPE_CHECKING:
    from dermnote.app.llm_quota.quota import Admission
    from dermnote.llm.prices import ImageTokens
    from dermnote.metadata import LesionMetadata
    from dermnote.notes.note_request import NoteRequest
    from dermnote.notes.schema import Note

PRICES = "DERMNOTE_LLM_PRICES"
SPACE_PER_HOUR = 20  # default on a Hugging Face Space, where anybody may press and the owner pays
LARGEST = (LONGEST_SIDE, LONGEST_SIDE)  # an image is cropped and scaled down only after its request is admitted
UNKNOWN = "somebody"  # visitors without an address share one allowance
HOUSEHOLD = 64  # prefix length (bits) of an IPv6 address of one household; its owner changes the rest at will


def read_allowance(environment: Mapping[str, str], writer: NoteWriter | None = None) -> Allowance:
    """Read DERMNOTE_LLM_PER_HOUR, DERMNOTE_LLM_MAX_USD and DERMNOTE_LLM_PRICES.

    Args:
        environment: The variables; SPACE_ID marks a Hugging Face Space.
        writer: Client of the language model; None makes the app's own.

    Raises:
        DermNoteError: A value is invalid, or DERMNOTE_LLM_MAX_USD is set and the model's price is unknown.
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
        return SPACE_PER_HOUR if environment.get("SPACE_ID") else None
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


def current_visitor() -> str:
    """Return the visitor whose event or endpoint call is being answered in this thread.

    Gradio keeps the request of the running handler in a context variable, for the queue, for plain calls and for MCP
    alike, so that no handler can forget to pass it on.
    """
    from gradio.context import LocalContext  # imported late: `read_allowance` runs before Gradio is imported

    request = LocalContext.request.get(None)
    if request is None:
        return UNKNOWN
    host = getattr(getattr(request, "client", None), "host", None) or ""
    return visitor_of(host, dict(request.headers), behind_proxy=bool(os.environ.get("SPACE_ID")))


def visitor_of(host: str, headers: Mapping[str, str], *, behind_proxy: bool) -> str:
    """Return the address under which a visitor is counted.

    A visitor may send an invented X-Forwarded-For, and each proxy on the way appends the address it was reached from.
    So behind a Space's proxy the rightmost public address counts; elsewhere the header is ignored here. (uvicorn
    uses it for connections from this machine: a reverse proxy beside the app, and the MCP server, which passes its
    callers' headers on.) The session hash is no help: the browser makes it up. A visitor with many addresses passes for
    many, and all behind one address for one, so only the limit on the cost of all cannot be evaded.

    Args:
        host: The other end of the connection.
        headers: Of the request, names in lower case.
        behind_proxy: Whether every connection comes from a trusted proxy.
    """
    chain = headers.get("x-forwarded-for", "").split(",") if behind_proxy else []
    public = (place for place in map(_address, reversed(chain)) if place is not None and place.is_global)
    place = next(public, None) or _address(host)
    if place is None:
        return UNKNOWN
    if isinstance(place, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((place, HOUSEHOLD), strict=False))
    return str(place)


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(text.strip())
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


class MeteredWriter:
    """Replacement for a `NoteWriter` that counts the usage of each request."""

    def __init__(self, writer: NoteWriter, admission: Admission) -> None:
        self.model = writer.model
        self._writer, self._admission = writer, admission

    def write(self, request: NoteRequest, jpeg: bytes | None) -> Note:
        """Write a note as `NoteWriter.write` does."""
        reply = self._admission.send(lambda may_repeat: self._writer.reply(request, jpeg, may_repeat))
        return request.note(reply.text)


@contextmanager
def metered(
    writer: NoteWriter, allowance: Allowance, strategy: Strategy, record: LesionMetadata, demographics: bool
) -> Iterator[NoteWriter]:
    """Yield the writer of one note for the current visitor.

    Raises:
        AllowanceError: Before anything is sent.
    """
    if not strategy.needs_model:
        yield writer
        return
    requests = estimate_requests(strategy, writer.model, record, demographics, allowance.price.picture)
    with allowance.admit(current_visitor(), requests) as admission:
        yield cast("NoteWriter", MeteredWriter(writer, admission))  # it has what writing a note uses


def estimate_requests(
    strategy: Strategy, model: str, record: LesionMetadata, demographics: bool, picture: ImageTokens
) -> list[Estimate]:
    """Return the token estimates of a note's requests, in the order of sending."""
    parts = [get_strategy(name) for name in strategy.made_of] or [strategy]
    builders = [RequestBuilder(part, model, dermoscopy(), demographics) for part in parts]
    return [estimate_sized(builder.build(record, ""), LARGEST, picture) for builder in builders]
