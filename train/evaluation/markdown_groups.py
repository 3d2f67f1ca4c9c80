"""Section of report.md on groups of people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .markdown_classes import SHORT
from .metric_format import blocks, number, table

# Of a block without notes only the first three.
MEASURES = {
    **SHORT,
    "map_image_to_text": "masked mAP, picture to note",
    "map_text_to_image": "note to picture",
    "paired_cosine": "cosine to the own masked note",
}


def groups(figures: Mapping[str, Any]) -> str:
    """Figures by sex, age, skin tone, site and modality, with the gap between the best and the worst."""
    rows, gaps = [], []
    for split, source, block in blocks(figures):
        for attribute, found in block["groups"].items():
            name = attribute.replace("_", " ")
            few = []
            for value, told in found["values"].items():
                if told.get("too_few"):
                    few.append(f"{value} ({told['n_cases']})")
                    continue
                shown = [number(told.get(key), told["ci"].get(key)) for key in MEASURES]
                rows.append([split, source, name, value, told["n_cases"], told["n_groups"], *shown])
            if few:
                blank = [""] * (len(MEASURES) + 1)
                rows.append([split, source, name, ", ".join(few), "fewer than 20 cases: not told", *blank])
            for key, gap in found["gap"].items():
                ends = f"{found['best'][key]} over {found['worst'][key]}"
                gaps.append([split, source, name, MEASURES[key], number(gap["value"], gap["ci"]), ends])
    if not rows:
        return ""
    header = ["split", "source", "by", "group", "cases", "patients or lesions"]
    parts = ["## Groups", table([*header, *(f"{name} [95%]" for name in MEASURES.values())], rows)]
    if gaps:
        said = "Gap between the best and the worst group. These two were picked for lying far apart: among many small"
        said += " groups some gap is always found, so read it beside the number of cases. Groups also differ in which"
        parts += [f"{said} classes they have."]
        parts += [table(["split", "source", "by", "measure", "gap [95%]", "best over worst"], gaps)]
    return "\n\n".join(parts)
