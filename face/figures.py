"""How well the model does, from the bundle's metrics.json (its format stands in `train.evaluate`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

HEADINGS = {
    "Cases": "",
    "Kappa": "Agreement with the recorded class beyond chance; 1 is perfect, 0 is chance",
    "Balanced accuracy": "Mean recall over the classes",
    "Melanoma against nevus": "Area under the ROC curve; 0.5 is chance",
    "Picture to note": "Mean average precision of the search, diagnosis masked in the notes",
    "Note to picture": "Mean average precision of the search, diagnosis masked in the notes",
}
NOT_MEASURED = '<p class="dn-fine">Nothing was measured for this bundle, so nothing is claimed.</p>'


def figures_table(metrics: Mapping[str, Any]) -> str:
    """A row for each held-out split and source; a bundle without figures says so."""
    rows = "".join(_row(split, source, block) for split, source, block in _blocks(metrics))
    if not rows:
        return NOT_MEASURED
    heads = "".join(f'<th scope="col"{_title(text)}>{escape(name)}</th>' for name, text in HEADINGS.items())
    return (
        '<div class="dn-table" tabindex="0" role="region" aria-label="Figures"><table><thead><tr>'
        f'<th scope="col">Held-out cases</th>{heads}</tr></thead><tbody>{rows}</tbody></table></div>'
        '<p class="dn-fine">Brackets hold 95% intervals over patients or lesions. Searches run with the diagnosis '
        "masked in the notes: as written, a note mostly names its class.</p>"
    )


def _blocks(metrics: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    for split, sources in _mapping(metrics.get("splits")).items():
        for source, block in _mapping(sources).items():
            told = _mapping(block)
            pooled = told.get("sources")
            if source != "all" or (isinstance(pooled, list) and len(pooled) > 1):  # one source is not told twice
                yield str(split), str(source), told


def _row(split: str, source: str, block: Mapping[str, Any]) -> str:
    classes = _mapping(block.get("classification"))
    intervals = _mapping(classes.get("ci"))
    ways = _mapping(_mapping(block.get("retrieval")).get("masked"))
    names = ("kappa", "balanced_accuracy", "melanoma_vs_nevus_auroc")
    cells = [_number(block.get("n_cases"), digits=0)]
    cells += [_number(classes.get(name)) + _interval(intervals.get(name)) for name in names]
    cells += [_number(_mapping(ways.get(way)).get("map")) for way in ("image_to_text", "text_to_image")]
    shown = "".join(f"<td>{escape(cell)}</td>" for cell in cells)
    return f'<tr><th scope="row">{escape(split)}, {escape(source)}</th>{shown}</tr>'


def _mapping(value: Any) -> Mapping[str, Any]:
    """A bundle may hold anything; what is not a table of names is taken as empty."""
    return value if isinstance(value, Mapping) else {}


def _number(value: Any, digits: int = 2) -> str:
    known = isinstance(value, int | float) and not isinstance(value, bool) and value == value
    return f"{value:.{digits}f}" if known else "–"


def _interval(value: Any) -> str:
    ends = [_number(end) for end in value] if isinstance(value, list | tuple) and len(value) == 2 else []
    return f" [{ends[0]}, {ends[1]}]" if ends and "–" not in ends else ""


def _title(text: str) -> str:
    return f' title="{escape(text)}"' if text else ""
