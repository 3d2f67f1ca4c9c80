"""What stands around the results: header, the research-only line, and which model answers."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from dermnote.app.cards import RESEARCH_ONLY

if TYPE_CHECKING:
    from dermnote import DermNote

MARK = (  # a lesion under a loupe
    '<svg class="dn-mark" viewBox="0 0 48 48" aria-hidden="true"><circle cx="21" cy="21" r="16" fill="none" '
    'stroke="currentColor" stroke-width="3.5"/><path d="M33 33l11 11" stroke="currentColor" stroke-width="4.5" '
    'stroke-linecap="round"/><path d="M14.5 22c-1-5 3-9.5 7.5-8.5 3.5-.5 7 2.5 6.5 6.5 1 4.5-2.5 8.5-7 '
    '8-3.5 1-6.5-2-7-6z" fill="var(--dn-accent)"/></svg>'
)


def header(model: DermNote) -> str:
    """Name, purpose, and which model answers."""
    return (
        f'<header class="dn-header"><div class="dn-brand">{MARK}<div><h1>DermNote</h1>'
        "<p>Classes and clinical notes for a picture of a skin lesion, and pictures for a note.</p>"
        f'</div></div><div class="dn-model"><span>{model_name(model)}</span>'
        f'<span class="dn-soft">{escape(trained_on(model))}</span></div></header>'
        f'<aside class="dn-banner" aria-label="Limits of use"><strong>{RESEARCH_ONLY}</strong> '
        "The answers are often wrong. If a spot on your skin worries you, show it to a doctor.</aside>"
    )


def model_name(model: DermNote) -> str:
    """The model and its revision, one short line."""
    revision = f' <span class="dn-revision">@ {escape(str(model.revision)[:12])}</span>' if model.revision else ""
    return f"<b>{escape(shown_source(model.source))}</b>{revision}"


def trained_on(model: DermNote) -> str:
    """What the weights saw, and their licence, in one line."""
    sources = ", ".join(model.config.sources)
    return " · ".join(filter(None, (f"trained on {sources}" if sources else "", f"licence {model.config.licence}")))


def shown_source(source: Any) -> str:
    """The Hub name as it is; of a folder its last part only; the starter by its name."""
    text = str(source or "")
    if text.count("/") == 1 and not text.startswith(("/", ".")):
        return text
    name = text.rstrip("/").rsplit("/", 1)[-1]
    return name or "unnamed model"


def footer() -> str:
    """The last line of the page."""
    return f'<p class="dn-foot"><strong>{RESEARCH_ONLY}</strong> DermNote is not a medical device.</p>'


def heading(title: str, text: str) -> str:
    """What opens a tab."""
    return f'<div class="dn-heading"><h2>{escape(title)}</h2><p>{escape(text)}</p></div>'
