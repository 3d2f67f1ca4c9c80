"""All held-out sets in one table."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from dermnote.app.model.figure import UNKNOWN, Figure
from dermnote.app.model.held_out import HeldOut
from dermnote.app.model.html_tables import Column, html_table
from dermnote.app.model.untrusted import table

COLUMNS = (
    Column("Held-out set"),
    Column("Pictures"),
    Column("Kappa", "Agreement with the recorded class beyond chance; 1 is perfect, 0 is chance"),
    Column("Balanced accuracy", "Mean recall over the classes"),
    Column("Melanoma against nevus", "Area under the ROC curve; 0.5 is chance"),
    Column("Picture to note", "Mean average precision of the search, diagnosis masked in the notes"),
    Column("Note to picture", "Mean average precision of the search, diagnosis masked in the notes"),
)
MEASURES = ("kappa", "balanced_accuracy", "melanoma_vs_nevus_auroc")
WAYS = ("image_to_text", "text_to_image")
NOTE = (
    "Brackets hold 95% intervals over patients or lesions. Searches run with the diagnosis masked in the notes: "
    "as written, a note mostly names its class. Photographs and drawn lesions are never pooled."
)


def side_by_side(sets: Sequence[HeldOut]) -> str:
    """A row for each held-out set; "" if there is none."""
    if not sets:
        return ""
    shown = html_table("All held-out sets", COLUMNS, [_row(held) for held in sets])
    return (
        f'<section class="dn-card dn-wide"><h3>Side by side</h3>{shown}<p class="dn-fine">{escape(NOTE)}</p></section>'
    )


def _row(held: HeldOut) -> list[str]:
    masked = table(table(held.block.get("retrieval")).get("masked"))
    figures = [Figure.named(held.classification, name) for name in MEASURES]
    figures += [Figure.of(table(masked.get(way)).get("map")) for way in WAYS]
    pictures = UNKNOWN if held.n_pictures is None else f"{held.n_pictures:,}"
    return [held.name, pictures, *map(str, figures)]
