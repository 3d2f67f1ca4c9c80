"""Facts on the model, its limits, and its use from Python, as HTML."""

from __future__ import annotations

import json
from html import escape
from typing import TYPE_CHECKING

from dermnote import __version__
from dermnote.app.cards import RESEARCH_ONLY, shown_source
from dermnote.notes.strategies import STRATEGIES
from dermnote.report.checked_json import as_text

if TYPE_CHECKING:
    from dermnote import DermNote

MAX_VALUE = 1000  # characters


def facts(model: DermNote) -> str:
    """Return the bundle's own facts as a list of names and values."""
    config = model.config
    values = {
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
    shown = {name: as_text(value, MAX_VALUE) for name, value in values.items()}
    rows = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in shown.items() if value)
    return f'<section class="dn-card"><h2>About this model</h2><dl class="dn-facts">{rows}</dl></section>'


def _strategy(name: str) -> str:
    known = STRATEGIES.get(name)
    return f"{name} ({known.title})" if known else name


def limits() -> str:
    """Return the limits of every model here, and the handling of uploaded images."""
    return (
        f'<section class="dn-card"><h2>Limits</h2><ul class="dn-list"><li><strong>{RESEARCH_ONLY}</strong></li>'
        "<li>It knows only the classes listed above; a lesion of another kind, or no lesion at all, still gets "
        "shares.</li><li>Notes are written from a class and recorded facts, and may name a wrong class. A language "
        "model, where one is set up, may say what is not there; the picture goes to it only when you press the button "
        "that names it.</li>"
        "<li>A picture you drop is kept without its metadata (place, time, camera), and deleted within two "
        "hours.</li></ul></section>"
    )


def from_python(model: DermNote) -> str:
    """Return the code that loads this model, and the HTTP and MCP addresses of the page."""
    code = (
        "from dermnote import DermNote\n\n"
        f"model = DermNote.from_pretrained({_arguments(model)})\n"
        'model.classify("lesion.jpg")\nmodel.find_notes("lesion.jpg", k=5)\n'
        'model.find_images("dark spot with an irregular border", k=5)\nmodel.write_note("lesion.jpg")'
    )
    return (
        '<section class="dn-card"><h2>From Python</h2>'
        f'<pre class="dn-code" tabindex="0">{escape(code)}</pre><p class="dn-fine">This page also answers over HTTP: '
        "<code>/classify</code>, <code>/find_notes</code>, <code>/find_images</code>, <code>/write_note</code>, "
        "described under “Use via API or MCP” below; the MCP tools are at <code>/gradio_api/mcp/</code>. They answer "
        "with the model this app was started with, whichever one answers you on the page.</p></section>"
    )


def _arguments(model: DermNote) -> str:
    name = as_text(shown_source(model.source), MAX_VALUE)
    if model.revision:
        return f"{json.dumps(name)}, revision={json.dumps(as_text(str(model.revision)))}"
    return "" if "/" not in str(model.source) else json.dumps(f"path/to/{name}")
