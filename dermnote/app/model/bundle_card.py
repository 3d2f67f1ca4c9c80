"""The bundle's own model card as HTML. Anybody may have written it: nothing in it runs, nothing is fetched."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

LONGEST = 100_000  # letters
FRONT_MATTER = re.compile(r"\A---\n.*?\n---\n", re.DOTALL)
TAG = re.compile(r"<[^>]*>?")
DEEPEST, DEEPER = 6, 2  # headings: the card stands in a page that has its own


def card(text: str) -> str:
    """The card, folded; "" if there is none.

    Args:
        text: Markdown, with front matter or without.
    """
    body = FRONT_MATTER.sub("", text.replace("\r\n", "\n"), count=1).strip()
    if not body:
        return ""
    cut = '<p class="dn-fine">The card is longer than is shown here.</p>' if len(body) > LONGEST else ""
    return (
        '<details class="dn-card dn-folded dn-model-card"><summary><h2>The whole model card</h2>'
        "<span>Written by whoever published the model; shown without its pictures.</span></summary>"
        f'<div class="dn-markdown">{_parser().render(body[:LONGEST])}</div>{cut}</details>'
    )


@lru_cache(maxsize=1)
def _parser() -> MarkdownIt:
    """Markdown with tables. HTML in it loses its tags, a picture is its description, a link leads to the web alone."""
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark").enable("table")
    for rule, render in {
        "html_block": _words_of_html,
        "html_inline": _words_of_html,
        "image": _described,
        "link_open": _link,
        "heading_open": _heading,
        "heading_close": _heading,
    }.items():
        parser.add_render_rule(rule, render)
    return parser


def _words_of_html(renderer: Any, tokens: Sequence[Token], place: int, options: Any, env: Any) -> str:
    return escape(TAG.sub("", tokens[place].content))


def _described(renderer: Any, tokens: Sequence[Token], place: int, options: Any, env: Any) -> str:
    return f"<em>[picture: {escape(tokens[place].content)}]</em>"


def _link(renderer: Any, tokens: Sequence[Token], place: int, options: Any, env: Any) -> str:
    address = str(tokens[place].attrGet("href") or "")
    if not address.startswith(("https://", "http://")):
        return "<a>"
    return f'<a href="{escape(address)}" target="_blank" rel="noopener noreferrer nofollow">'


def _heading(renderer: Any, tokens: Sequence[Token], place: int, options: Any, env: Any) -> str:
    token = tokens[place]
    level = min(DEEPEST, int(token.tag[1]) + DEEPER)
    return f"<h{level}>" if token.nesting == 1 else f"</h{level}>"
