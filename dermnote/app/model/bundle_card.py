"""A bundle's model card as HTML. Anybody may have written it: no content of it runs or causes a request."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

LONGEST = 100_000  # characters
FRONT_MATTER = re.compile(r"\A---\n.*?\n---\n", re.DOTALL)
TAG = re.compile(r"<[^>]*>?")
DEEPEST, DEEPER = 6, 2  # headings: the page around the card has its own


def card(text: str) -> str:
    """Return the card, folded; "" if there is none.

    Args:
        text: Markdown, with front matter or without.
    """
    body = FRONT_MATTER.sub("", text.replace("\r\n", "\n"), count=1).strip()
    if not body:
        return ""
    cut = '<p class="dn-fine">The card is longer than is shown here.</p>' if len(body) > LONGEST else ""
    return (
        '<details class="dn-card dn-folded dn-model-card"><summary><h2>The whole model card</h2>'
        "<span>Written by the publisher of the model; shown without its images.</span></summary>"
        f'<div class="dn-markdown">{_parser().render(body[:LONGEST])}</div>{cut}</details>'
    )


@lru_cache(maxsize=1)
def _parser() -> MarkdownIt:
    """Return a Markdown parser with tables; HTML loses its tags, images become text, and only web links stay links."""
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark").enable("table")
    for rule, render in {
        "html_block": _text_of_html,
        "html_inline": _text_of_html,
        "image": _image_text,
        "link_open": _link,
        "heading_open": _heading,
        "heading_close": _heading,
    }.items():
        parser.add_render_rule(rule, render)
    return parser


def _text_of_html(renderer: Any, tokens: Sequence[Token], place: int, options: Any, env: Any) -> str:
    return escape(TAG.sub("", tokens[place].content))


def _image_text(renderer: Any, tokens: Sequence[Token], place: int, options: Any, env: Any) -> str:
    return f"<em>[image: {escape(tokens[place].content)}]</em>"


def _link(renderer: Any, tokens: Sequence[Token], place: int, options: Any, env: Any) -> str:
    address = str(tokens[place].attrGet("href") or "")
    if not address.startswith(("https://", "http://")):
        return "<a>"
    return f'<a href="{escape(address)}" target="_blank" rel="noopener noreferrer nofollow">'


def _heading(renderer: Any, tokens: Sequence[Token], place: int, options: Any, env: Any) -> str:
    token = tokens[place]
    level = min(DEEPEST, int(token.tag[1]) + DEEPER)
    return f"<h{level}>" if token.nesting == 1 else f"</h{level}>"
