"""Tables of metrics.json: one definition of each for the HTML report, report.md, the model card and the app.

A table is a list of rows, and a row maps column titles to cells. Columns are given as title and path within a `Block`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from dermnote.report.checked_json import Figure
from dermnote.report.schema import DIRECTIONS, VERSIONS, Attribute, Block, Metrics, Search

Cell = str | int | Figure | None
Row = dict[str, Cell]
Rows = list[Row]
RowsOf = Callable[[Block], Rows]

FEW = 20  # cases; no recall is shown of a class with fewer
SHORT = {"kappa": "kappa", "balanced accuracy": "balanced_accuracy", "macro AUROC": "macro_auroc"}
SUBGROUP = SHORT | {
    "masked mAP, image to note": "map_image_to_text",
    "masked mAP, note to image": "map_text_to_image",
    "cosine to the own masked note": "paired_cosine",
}
COUNTS = {"cases": "n_cases", "groups": "n_groups"}
CLASSIFICATION = {title: f"classification.{name}" for title, name in SHORT.items()} | {
    "melanoma vs nevus AUROC": "classification.melanoma_vs_nevus_auroc"
}
MACRO_F1 = {"macro F1": "classification.macro_f1"}
OWN = "own partner in first 1 / 5 / 10"
ATTRIBUTES = {"age_band": "age", "site": "body site", "modality": "image type"}
MEANINGS = {  # shown beside a column's head
    "kappa": "Agreement with the recorded class beyond chance; 1 is perfect, 0 is chance",
    "balanced accuracy": "Mean recall over the classes",
    "macro AUROC": "Mean over the classes of the area under the ROC curve; 0.5 is chance",
    "melanoma vs nevus AUROC": "Area under the ROC curve; 0.5 is chance",
    "mAP": "Mean average precision: 1 if every image or note of the class comes first",
    "masked mAP, image to note": "Mean average precision of the search, diagnosis masked in the notes",
    "masked mAP, note to image": "Mean average precision of the search, diagnosis masked in the notes",
    "chance": "Score of the same rankings when the classes of the queries are shuffled",
    "zero-shot": "The class whose description is nearest to the image",
    OWN: "Share of queries whose own note or image is among the first results",
}


def cell_text(cell: Cell, digits: int = 3) -> str:
    """Return a cell as text, figures with that many decimals."""
    if isinstance(cell, Figure):
        return cell.text(digits)
    return "–" if cell is None else f"{cell:,}" if isinstance(cell, int) else cell


def markdown(rows: Rows) -> str:
    """Return the rows as a Markdown table."""
    lines = [list(rows[0]), ["---"] * len(rows[0]), *([cell_text(cell) for cell in row.values()] for row in rows)]
    return "\n".join("| " + " | ".join(cell.replace("|", "/") for cell in line) + " |" for line in lines)


def per_block(blocks: Iterable[Block], rows_of: RowsOf) -> Rows:
    """Return the rows of all blocks, each after its split and source."""
    return [{"split": block.split, "source": block.source, **row} for block in blocks for row in rows_of(block)]


def cells(record: Any, columns: Mapping[str, str]) -> Row:
    """Return the values at the paths of the columns; None where there is none."""
    row: Row = {}
    for title, path in columns.items():
        value = record
        for name in path.split("."):
            value = value.get(name) if isinstance(value, Mapping) else getattr(value, name, None)
        row[title] = value
    return row


def one_row(columns: Mapping[str, str]) -> RowsOf:
    """Return a table with one row for a block."""
    return lambda block: [cells(block, columns)]


MASKED = {
    "masked mAP, image to note": "retrieval.masked.image_to_text.map",
    "chance, image to note": "retrieval.masked.image_to_text.chance",
    "masked mAP, note to image": "retrieval.masked.text_to_image.map",
    "chance, note to image": "retrieval.masked.text_to_image.chance",
}
overview = one_row(COUNTS | CLASSIFICATION | MASKED)
MORE = {"accuracy": "classification.accuracy", **MACRO_F1, "kappa, linear weights": "classification.kappa_linear"}
classification = one_row(COUNTS | CLASSIFICATION | MORE)
calibration = one_row(
    {
        "calibration error before": "classification.ece_uncalibrated",
        "after": "classification.ece",
        "negative log-likelihood after": "classification.negative_log_likelihood",
        "Brier score after (0 to 2)": "classification.brier",
    }
)
SIDE_BY_SIDE = {title: path for title, path in (CLASSIFICATION | MASKED).items() if not title.startswith("chance")}
CONSOLE = {
    "cases": "n_cases",
    "masked i>n": "retrieval.masked.image_to_text.map.value",
    "chance": "retrieval.masked.image_to_text.chance.value",
    "masked n>i": "retrieval.masked.text_to_image.map.value",
    "chance ": "retrieval.masked.text_to_image.chance.value",
    "written i>n": "retrieval.as_written.image_to_text.map.value",
    "written n>i": "retrieval.as_written.text_to_image.map.value",
    "kappa": "classification.kappa.value",
    "bal. acc.": "classification.balanced_accuracy.value",
    "AUROC": "classification.macro_auroc.value",
    "mel/nev": "classification.melanoma_vs_nevus_auroc.value",
}


def side_by_side(blocks: Iterable[Block]) -> Rows:
    """Return the main figures of all blocks, one row each."""
    return [{"held-out set": block.name, "cases": block.n_cases, **cells(block, SIDE_BY_SIDE)} for block in blocks]


def measures(block: Block) -> Rows:
    """Return one row for each measure of classification, beside the same of zero-shot answers where there are any."""
    classifier = cells(block, CLASSIFICATION | MACRO_F1)
    rows: Rows = [{"from the image alone": title, "classifier": figure} for title, figure in classifier.items()]
    zero_shot = cells(block.zero_shot, SHORT)
    for row, title in zip(rows, classifier, strict=True) if block.zero_shot else ():
        row["zero-shot"] = zero_shot.get(title)
    return [row for row in rows if isinstance(figure := row["classifier"], Figure) and figure.value is not None]


def recall(block: Block) -> Rows:
    """Return the recall of each class."""
    found = block.classification.recall
    return [{name: found.get(name) for name in block.classnames}]


def searches(block: Block, only_version: str | None = None, *, pool: str = "retrieval") -> Iterable[tuple[Row, Search]]:
    """Yield a row with version and direction in words, and the search; only searches that were measured."""
    found = getattr(block, pool)
    for version in [only_version] if only_version else VERSIONS:
        for way, title in DIRECTIONS.items():
            each = found.search(version, way) if found else Search.read(None)
            if each.map.value is not None:
                yield {"notes": VERSIONS[version], "search": title}, each


def _first(shares: Mapping[str, Figure], *counts: str, digits: int = 3) -> str:
    return " / ".join(shares.get(k, Figure()).text(digits) for k in counts)


def retrieval(block: Block, only_version: str | None = None) -> Rows:
    """Return the searches of held-out cases among held-out cases, for one version of the notes or both."""
    rows, found = [], block.retrieval
    for row, each in searches(block, only_version):
        row["queries"] = found.n_queries - (each.left_out or 0) if found and found.n_queries is not None else None
        row |= {"mAP": each.map, "chance": each.chance}
        row["precision of the first 5 / 10"] = _first(each.precision, "5", "10")
        row[OWN] = _first(each.recall_of_own, "1", "5", "10", digits=2)
        rank = each.median_rank_of_own.value
        row["median rank of it"] = f"{rank:g} of {found.n_gallery}" if found and rank is not None else None
        rows.append(row)
    return rows


def main_searches(block: Block) -> Rows:
    """Return the searches with one column for notes and direction, and the main figures."""
    rows: Rows = []
    for row in retrieval(block):
        figures = {name: row[name] for name in ("mAP", "chance", OWN)}
        rows.append({"search": f"{row['search']}, {row['notes']}", **figures})
    return rows


def by_subtype(block: Block, only_version: str | None = None) -> Rows:
    """Return the searches where relevant is what has the query's class and its subtype."""
    columns = {"queries": "n_queries", "mAP": "map", "chance": "chance"}
    found = searches(block, only_version)
    return [row | cells(each.by_subtype, columns) for row, each in found if each.by_subtype]


def retrieval_all(block: Block) -> Rows:
    """Return the searches among all cases, training cases included."""
    rows = []
    for row, each in searches(block, pool="retrieval_all"):
        row["gallery"] = block.retrieval_all.n_gallery if block.retrieval_all else None
        own = _first(each.recall_of_own, "1", "5", "10", digits=2)
        rows.append(row | {"mAP": each.map, "chance": each.chance, OWN: own})
    return rows


def alignment(block: Block) -> Rows:
    """Return cosines of pairs, and the geometry of the embedding space."""
    columns = {
        "cosine to the own note": "paired_cosine",
        "to another case's note": "random_pairs",
        "modality gap": "modality_gap",
        "uniformity of images": "uniformity.image",
        "uniformity of notes": "uniformity.text",
    }
    return [
        {"notes": VERSIONS.get(version, version), **cells(each, columns)} for version, each in block.alignment.items()
    ]


def selective(block: Block) -> Rows:
    """Return shares of wrong answers where only the surest or most familiar cases are answered."""
    rows: Rows = []
    for by in ("confidence", "distance"):
        if curve := getattr(block.selective, by):
            at = {f"{share:.0%}": Figure(wrong) for share, wrong in curve.points}
            kept = {f"wrong at {share} answered": at.get(share) for share in ("50%", "80%", "100%")}
            rows.append({"answered first": by, **kept, "area below the curve": curve.aurc})
    return rows


def far(block: Block) -> Rows:
    """Return the accuracy of cases far from the training cases, and of the others."""
    found = block.selective.far
    if not found or found.n_flagged is None:
        return []
    flagged = f"{found.n_flagged} of {block.n_cases}"
    return [{"flagged": flagged, "accuracy of these": found.accuracy_flagged, "of the others": found.accuracy_kept}]


def zero_shot(block: Block) -> Rows:
    """Return the figures of zero-shot answers."""
    return [cells(block.zero_shot, SHORT)] if block.zero_shot else []


def linear_probe(block: Block) -> Rows:
    """Return the figures of logistic regression on the frozen image embeddings."""
    columns = {"groups": "n_groups", "cases": "n_train", **SHORT}
    return [
        {
            "training groups": f"{share}%",
            **cells(each, columns),
            "classes absent": ", ".join(each.classes_absent) or "none",
        }
        for share, each in block.linear_probe.items()
    ]


def attribute_title(name: str) -> str:
    """Return the attribute that groups differ in, in words."""
    return ATTRIBUTES.get(name, name.replace("_", " "))


def group_rows(attribute: Attribute) -> Rows:
    """Return the figures of classification of each group that has them."""
    columns = {"images": "n_cases", **SHORT}
    found = attribute.values.items()
    return [{"group": value, **cells(group, columns)} for value, group in found if group.kappa.value is not None]


def groups(block: Block) -> Rows:
    """Return the figures of each group; those too small for figures share a row."""
    columns = {"cases": "n_cases", "patients or lesions": "n_groups", **SUBGROUP}
    rows: Rows = []
    for name, attribute in block.groups.items():
        few = []
        for value, group in attribute.values.items():
            if group.kappa.value is None and group.map_image_to_text.value is None:
                few.append(f"{value} ({cell_text(group.n_cases)})")
            else:
                rows.append({"by": attribute_title(name), "group": value, **cells(group, columns)})
        if few:
            shared: Row = {"by": attribute_title(name), "group": ", ".join(few), "cases": f"fewer than {FEW} each"}
            empty: Row = dict.fromkeys(("by", "group", *columns), "")
            rows.append({**empty, **shared})
    return rows


def gaps(block: Block) -> Rows:
    """Return the gap between the best and the worst group of each attribute, by measure."""
    return [
        {
            "by": attribute_title(name),
            "measure": title,
            "worst group": attribute.worst.get(measure),
            "best group": attribute.best.get(measure),
            "gap": attribute.gap[measure].value,
        }
        for name, attribute in block.groups.items()
        for title, measure in SUBGROUP.items()
        if measure in attribute.gap
    ]


def worst_groups(block: Block) -> Rows:
    """Return the worst group of each attribute by kappa, and the gap to the best."""
    rows: Rows = []
    for name, attribute in block.groups.items():
        worst, gap = attribute.values.get(attribute.worst.get("kappa", "")), attribute.gap.get("kappa")
        if worst and gap:
            ends: Row = {"worst group": attribute.worst["kappa"], "cases": worst.n_cases, "kappa": worst.kappa}
            best: Row = {"best group": attribute.best.get("kappa"), "gap in kappa": gap.value}
            rows.append({"by": attribute_title(name), **ends, **best})
    return rows


def console_table(metrics: Metrics) -> str:
    """Return the main figures in aligned columns, without intervals."""
    rows = per_block(metrics.blocks, one_row(CONSOLE))
    values = [[Figure(v).text() if isinstance(v, float) else cell_text(v) for v in row.values()] for row in rows]
    lines = [list(rows[0]), *values] if rows else []
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    aligned = [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    ]
    return "\n".join(
        ["", *aligned, "(mAP, masked or as written; i>n: image to note, n>i: note to image; chance: masked)"]
    )
