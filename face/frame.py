"""What stands around the results: header, the research-only line, and the facts of the model."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from dermnote import __version__
from dermnote.notes.strategies import STRATEGIES
from face.cards import RESEARCH_ONLY
from face.figures import figures_table

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


def about(model: DermNote) -> str:
    """What the model is, what it was trained on, how well it does, and how to call it."""
    config = model.config
    facts = {
        "Model": shown_source(model.source),
        "Revision": str(model.revision or "none: it does not come from the Hub"),
        "Trained on": ", ".join(config.sources) or "not stated",
        "Licence of the weights": config.licence,
        "Classes": ", ".join(config.classnames),
        "Note strategies": ", ".join(map(_strategy, config.strategies)) or "none: this model reads pictures only",
        "Gallery": config.gallery or "not stated",
        "Fingerprint": config.fingerprint[:16],
        "DermNote": __version__,
    }
    rows = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in facts.items() if value)
    return (
        f'<section class="dn-card"><h2>About this model</h2><dl class="dn-facts">{rows}</dl></section>'
        f'<section class="dn-card"><h2>How well it does</h2>{figures_table(model.metrics)}</section>'
        f"{_limits()}{_python(model)}"
    )


def _strategy(name: str) -> str:
    known = STRATEGIES.get(name)
    return f"{name} ({known.title})" if known else name


def _limits() -> str:
    return (
        f'<section class="dn-card"><h2>Limits</h2><ul class="dn-list"><li><strong>{RESEARCH_ONLY}</strong></li>'
        "<li>It knows only the classes listed above; a lesion of another kind, or no lesion at all, still gets "
        "shares.</li><li>Notes are written from a class and recorded facts, and may name a wrong class. A language "
        "model, where one is set up, may say what is not there; the picture goes to it only when you press the button "
        "that names it.</li>"
        "<li>A picture you drop is kept without its metadata (place, time, camera), and deleted within two "
        "hours.</li></ul></section>"
    )


def _python(model: DermNote) -> str:
    name = shown_source(model.source)
    wanted = f'"{name}"' if "/" in name else ""
    code = (
        "from dermnote import DermNote\n\n"
        f"model = DermNote.from_pretrained({wanted})\n"
        'model.classify("lesion.jpg")\nmodel.find_notes("lesion.jpg", k=5)\n'
        'model.find_images("dark spot with an irregular border", k=5)\nmodel.write_note("lesion.jpg")'
    )
    return (
        '<section class="dn-card"><h2>From Python</h2>'
        f'<pre class="dn-code" tabindex="0">{escape(code)}</pre><p class="dn-fine">This page also answers over HTTP: '
        "<code>/classify</code>, <code>/find_notes</code>, <code>/find_images</code>, <code>/write_note</code>, "
        "described under “Use via API or MCP” below; the MCP tools are at <code>/gradio_api/mcp/</code>.</p></section>"
    )


def footer() -> str:
    """The last line of the page."""
    return f'<p class="dn-foot"><strong>{RESEARCH_ONLY}</strong> DermNote is not a medical device.</p>'


def heading(title: str, text: str) -> str:
    """What opens a tab."""
    return f'<div class="dn-heading"><h2>{escape(title)}</h2><p>{escape(text)}</p></div>'
