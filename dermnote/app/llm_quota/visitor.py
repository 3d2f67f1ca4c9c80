"""Who asks: what tells one visitor from another where requests are counted."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping

from gradio.context import LocalContext

UNKNOWN = "somebody"  # all of whom nothing is known share one allowance
HOME = 64  # bits of an IPv6 address that a provider gives to one household; the rest its owner changes at will


def current_visitor() -> str:
    """The visitor whose event or endpoint call is being answered, in this thread.

    Gradio keeps the request of the running handler beside it, for the queue, for plain calls and for MCP alike, so that
    no handler can forget to pass it on.
    """
    request = LocalContext.request.get(None)
    if request is None:
        return UNKNOWN
    client = getattr(request, "client", None)
    host = getattr(client, "host", None) or ""
    return visitor_of(host, dict(request.headers), behind_proxy=bool(os.environ.get("SPACE_ID")))


def visitor_of(host: str, headers: Mapping[str, str], *, behind_proxy: bool) -> str:
    """The address to count for.

    What can be made up: a visitor may send an X-Forwarded-For of his own, and each proxy on the way adds the address it
    was reached from at the right end. So behind a Space's proxy the rightmost public address counts, never the first;
    elsewhere the header is not looked at here. (uvicorn takes it from connections that this machine itself opens: a
    reverse proxy beside the app, and the MCP server, which passes its callers' headers on.) The session hash is no
    help: the browser makes it up, and a new one costs nothing. Somebody with many addresses passes for many visitors,
    and all behind one address for one, so only what all together may cost is a limit that nobody gets round.

    Args:
        host: The other end of the connection.
        headers: Of the request, names in lower case.
        behind_proxy: Whether every connection comes from a proxy that can be trusted.
    """
    chain = headers.get("x-forwarded-for", "").split(",") if behind_proxy else []
    public = (place for place in map(_address, reversed(chain)) if place is not None and place.is_global)
    place = next(public, None) or _address(host)
    if place is None:
        return UNKNOWN
    if isinstance(place, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((place, HOME), strict=False))
    return str(place)


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(text.strip())
    except ValueError:
        return None
    mapped = getattr(address, "ipv4_mapped", None)
    return mapped or address
