"""The figures of one held-out set: classes from the picture alone, and searches between pictures and notes."""

from __future__ import annotations

from html import escape

from dermnote.app.model.figure import UNKNOWN, Figure
from dermnote.app.model.held_out import HeldOut
from dermnote.app.model.html_tables import Column, html_table
from dermnote.app.model.untrusted import number, table

MEASURES = {
    "kappa": ("Kappa", "agreement with the recorded class beyond chance; 1 is perfect"),
    "balanced_accuracy": ("Balanced accuracy", "mean share told right, over the classes"),
    "macro_auroc": ("AUROC, mean of classes", "how well a class is told from the others; 0.5 is chance"),
    "melanoma_vs_nevus_auroc": ("AUROC, melanoma against nevus", "0.5 is chance"),
    "macro_f1": ("F1, mean of classes", "balance of what is found and what is right"),
}
WAYS = {"image_to_text": "picture to note", "text_to_image": "note to picture"}
VERSIONS = {"masked": "Diagnosis masked", "as_written": "As written"}
SEARCH = (
    Column("Notes, and search"),
    Column("mAP", "Mean average precision: 1 if all pictures or notes of the class come first"),
    Column("Chance", "What the same rankings score when the classes are shuffled"),
    Column("Own one in the first 10", "Share of queries whose own note or picture is among the first ten"),
)


def scores(held: HeldOut) -> str:
    """Two cards; what was not measured is left out."""
    return _classes(held) + _searches(held)


def _classes(held: HeldOut) -> str:
    zero_shot = table(held.block.get("zero_shot"))
    rows = [
        [title, str(figure), str(Figure.named(zero_shot, name))]
        for name, (title, _) in MEASURES.items()
        if (figure := Figure.named(held.classification, name)).value is not None
    ]
    if not rows:
        return ""
    columns = [Column("From the picture alone"), Column("Classifier"), Column("By description", DESCRIBED)]
    if not zero_shot:
        columns, rows = columns[:2], [row[:2] for row in rows]
    meant = "; ".join(f"{title}: {means}" for title, means in MEASURES.values())
    note = f"Brackets hold 95% intervals over patients or lesions. {meant}."
    return _card("Classes", html_table("Classes", columns, rows), note)


DESCRIBED = "The class whose description lies nearest to the picture (zero-shot)"


def _searches(held: HeldOut) -> str:
    told = table(held.block.get("retrieval"))
    rows = [
        [f"{words}, {title}", *_search(table(told.get(version)).get(way))]
        for version, words in VERSIONS.items()
        for way, title in WAYS.items()
    ]
    rows = [row for row in rows if row[1] != UNKNOWN]
    if not rows:
        return ""
    alike = number(table(told.get("distinct_notes")).get("masked")) == 1
    empty = " Masked, all notes here say the same, so these searches are left to chance." if alike else ""
    note = (
        "Found is what has the class of the query. Masked is the one to read: as written, a note mostly names its "
        f"class.{empty}"
    )
    return _card("Searches", html_table("Searches", SEARCH, rows), note)


def _search(way: object) -> list[str]:
    told = table(way)
    own = Figure.of(table(told.get("recall_of_own")).get("10"))
    return [str(Figure.of(told.get("map"), told.get("ci"))), str(Figure.of(told.get("chance"))), own.as_share()]


def _card(title: str, shown: str, note: str) -> str:
    return f'<section class="dn-card"><h3>{title}</h3>{shown}<p class="dn-fine">{escape(note)}</p></section>'
