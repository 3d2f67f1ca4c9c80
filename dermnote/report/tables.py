"""Tables of metrics.json: one definition of each for the HTML report, report.md, the model card and the app.

A table is a list of rows, and a row maps column names to cells. A renderer drops the columns that it has no use for.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence

from dermnote.report.checked_json import Figure
from dermnote.report.schema import DIRECTIONS, VERSIONS, Attribute, Block, Metrics, Scored

Cell = str | int | Figure | None
Row = dict[str, Cell]
Rows = list[Row]
RowsOf = Callable[[Block], Rows]

FEW = 20  # cases; no recall is shown of a class with fewer
SHORT = {"kappa": "kappa", "balanced_accuracy": "balanced accuracy", "macro_auroc": "macro AUROC"}
CLASSIFICATION = SHORT | {"melanoma_vs_nevus_auroc": "melanoma vs nevus AUROC"}
SUBGROUP = SHORT | {
    "map_image_to_text": "masked mAP, image to note",
    "map_text_to_image": "masked mAP, note to image",
    "paired_cosine": "cosine to the own masked note",
}
ATTRIBUTES = {"age_band": "age", "site": "body site", "modality": "image type"}
OWN, MEDIAN = "own partner in first 1 / 5 / 10", "median rank of it"
ABBREVIATIONS = {  # on the console
    "image to note": "i>n",
    "note to image": "n>i",
    "balanced accuracy": "bal. acc.",
    "melanoma vs nevus AUROC": "mel/nev",
    "macro AUROC": "AUROC",
    "masked mAP": "masked",
    "as written": "written",
}
MEANINGS = {  # shown beside a column's head
    "kappa": "Agreement with the recorded class beyond chance; 1 is perfect, 0 is chance",
    "balanced accuracy": "Mean recall over the classes",
    "macro AUROC": "Mean over the classes of the area under the ROC curve; 0.5 is chance",
    "melanoma vs nevus AUROC": "Area under the ROC curve; 0.5 is chance",
    "macro F1": "Mean over the classes of the harmonic mean of precision and recall",
    "mAP": "Mean average precision: 1 if every image or note of the class comes first",
    "masked mAP, image to note": "Mean average precision of the search, diagnosis masked in the notes",
    "masked mAP, note to image": "Mean average precision of the search, diagnosis masked in the notes",
    "chance": "Score of the same rankings when the classes of the queries are shuffled",
    "zero-shot": "The class whose description is nearest to the image",
    OWN: "Share of queries whose own note or image is among the first results",
}


def number(value: float | None, ci: Sequence[float] | None = None, *, signed: bool = False) -> str:
    """Return a figure to three places, with its interval if there is one; a dash if it is undefined."""
    if value is None or math.isnan(value):
        return "–"
    shape = "+.3f" if signed else ".3f"
    return f"{value:{shape}}" + (f" [{ci[0]:{shape}}, {ci[1]:{shape}}]" if ci else "")


def cell_text(cell: Cell, digits: int = 3) -> str:
    """Return a cell as text, figures with that many decimals."""
    if isinstance(cell, Figure):
        return cell.text(digits)
    return "–" if cell is None else f"{cell:,}" if isinstance(cell, int) else cell


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(str(cell).replace("|", "/") for cell in line) + " |" for line in lines)


def markdown(rows: Rows) -> str:
    """Return the rows as a Markdown table."""
    return markdown_table(list(rows[0]), [[cell_text(cell) for cell in row.values()] for row in rows])


def only(rows: Rows, *columns: str) -> Rows:
    """Return the rows with these columns alone."""
    return [{name: row[name] for name in columns if name in row} for row in rows]


def per_block(blocks: Iterable[Block], rows_of: RowsOf) -> Rows:
    """Return the rows of all blocks, each after its split and source."""
    return [{"split": block.split, "source": block.source, **row} for block in blocks for row in rows_of(block)]


def overview(block: Block) -> Rows:
    """Return the main figures in one row: classification, and retrieval with the diagnosis masked."""
    row: Row = {"cases": block.n_cases, "groups": block.n_groups}
    return [row | _columns(block.classification, CLASSIFICATION) | _masked(block)]


def side_by_side(blocks: Iterable[Block]) -> Rows:
    """Return the main figures of all blocks, one row each, without the figures of chance."""
    rows: Rows = []
    for block in blocks:
        rows.append({"held-out set": block.name})
        for name, cell in overview(block)[0].items():
            if name not in ("groups", "macro AUROC") and not name.startswith("chance"):
                rows[-1][name] = cell
    return rows


def _masked(block: Block) -> Row:
    row: Row = {}
    for way, title in DIRECTIONS.items():
        found = block.retrieval.search("masked", way) if block.retrieval else None
        row |= {
            f"masked mAP, {title}": found.map if found else None,
            f"chance, {title}": found.chance if found else None,
        }
    return row


def _columns(record: object, names: dict[str, str]) -> Row:
    return {title: getattr(record, name) for name, title in names.items()}


def classification(block: Block) -> Rows:
    """Return the figures of classification from the image alone."""
    more = {"accuracy": "accuracy", "macro_f1": "macro F1", "kappa_linear": "kappa, linear weights"}
    row: Row = {"cases": block.n_cases, "groups": block.n_groups}
    return [row | _columns(block.classification, CLASSIFICATION | more)]


def measures(block: Block) -> Rows:
    """Return one row for each measure of classification, beside the same of zero-shot answers where there are any."""
    zero_shot, rows = block.zero_shot, []
    for name, title in (CLASSIFICATION | {"macro_f1": "macro F1"}).items():
        figure: Figure = getattr(block.classification, name)
        row: Row = {"from the image alone": title, "classifier": figure}
        if zero_shot:
            row["zero-shot"] = getattr(zero_shot, name, None)
        if figure.value is not None:
            rows.append(row)
    return rows


def recall(block: Block) -> Rows:
    """Return the recall of each class."""
    found = block.classification.recall
    return [{name: found.get(name) for name in block.classnames}]


def _searches(block: Block, only_version: str | None) -> Iterable[tuple[str, str, Row]]:
    """Yield version, direction, and a row with their words, of the held-out retrieval."""
    for version in [only_version] if only_version else VERSIONS:
        for way, title in DIRECTIONS.items() if block.retrieval else ():
            yield version, way, {"notes": VERSIONS[version], "search": title}


def _own(found: dict[str, Figure]) -> str:
    return " / ".join(found[k].text(2) if k in found else "–" for k in ("1", "5", "10"))


def retrieval(block: Block, only_version: str | None = None) -> Rows:
    """Return the searches of held-out cases among held-out cases, for one version of the notes or both."""
    rows, found = [], block.retrieval
    for version, way, row in _searches(block, only_version):
        assert found is not None
        each = found.search(version, way)
        if each.map.value is None:
            continue
        rank, n_gallery = each.median_rank_of_own.value, found.n_gallery
        precision = [each.precision[k].text() if k in each.precision else "–" for k in ("5", "10")]
        rows.append(
            row
            | {"queries": None if found.n_queries is None else found.n_queries - (each.left_out or 0)}
            | {"mAP": each.map, "chance": each.chance, "precision of the first 5 / 10": " / ".join(precision)}
            | {OWN: _own(dict(each.recall_of_own)), MEDIAN: "–" if rank is None else f"{rank:g} of {n_gallery}"}
        )
    return rows


def by_subtype(block: Block, only_version: str | None = None) -> Rows:
    """Return the searches where relevant is what has the query's class and its subtype."""
    rows = []
    for version, way, row in _searches(block, only_version):
        each = block.retrieval.search(version, way).by_subtype if block.retrieval else None
        if each:
            rows.append(row | {"queries": each.n_queries, "mAP": each.map, "chance": each.chance})
    return rows


def retrieval_all(block: Block) -> Rows:
    """Return the searches among all cases, training cases included."""
    rows: Rows = []
    for version, notes in VERSIONS.items():
        for way, title in DIRECTIONS.items() if block.retrieval_all else ():
            assert block.retrieval_all is not None
            each = block.retrieval_all.search(version, way)
            row: Row = {"notes": notes, "search": title, "gallery": block.retrieval_all.n_gallery}
            rows.append(row | {"mAP": each.map, "chance": each.chance, OWN: _own(dict(each.recall_of_own))})
    return rows


def alignment(block: Block) -> Rows:
    """Return cosines of pairs, and the geometry of the embedding space."""
    return [
        {
            "notes": VERSIONS.get(version, version),
            "cosine to the own note": each.paired_cosine,
            "to another case's note": each.random_pairs,
            "modality gap": each.modality_gap,
            "uniformity of images": each.uniformity.get("image"),
            "uniformity of notes": each.uniformity.get("text"),
        }
        for version, each in block.alignment.items()
    ]


def calibration(block: Block) -> Rows:
    """Return calibration errors and proper scores."""
    found = block.classification
    return [
        {
            "calibration error before": found.ece_uncalibrated,
            "after": found.ece,
            "negative log-likelihood after": found.negative_log_likelihood,
            "Brier score after (0 to 2)": found.brier,
        }
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
    return [_columns(block.zero_shot, SHORT)] if block.zero_shot else []


def linear_probe(block: Block) -> Rows:
    """Return the figures of logistic regression on the frozen image embeddings."""

    def row(share: str, each: Scored) -> Row:
        fitted: Row = {"training groups": f"{share}%", "groups": each.n_groups, "cases": each.n_train}
        return fitted | _columns(each, SHORT) | {"classes absent": ", ".join(each.classes_absent) or "none"}

    return [row(share, each) for share, each in block.linear_probe.items()]


def attribute_title(name: str) -> str:
    """Return the attribute that groups differ in, in words."""
    return ATTRIBUTES.get(name, name.replace("_", " "))


def group_rows(attribute: Attribute) -> Rows:
    """Return the figures of classification of each group that has them."""
    return [
        {"group": value, "images": group.n_cases, **_columns(group, SHORT)}
        for value, group in attribute.values.items()
        if group.kappa.value is not None
    ]


def groups(block: Block) -> Rows:
    """Return the figures of each group; those too small for figures share a row."""
    rows: Rows = []
    for name, attribute in block.groups.items():
        few = []
        for value, group in attribute.values.items():
            if group.kappa.value is None and group.map_image_to_text.value is None:
                few.append(f"{value} ({'?' if group.n_cases is None else group.n_cases})")
                continue
            row: Row = {"by": attribute_title(name), "group": value, "cases": group.n_cases}
            rows.append(row | {"patients or lesions": group.n_groups} | _columns(group, SUBGROUP))
        if few:
            rows.append({"by": attribute_title(name), "group": ", ".join(few), "cases": f"fewer than {FEW} each"})
            rows[-1] |= dict.fromkeys(("patients or lesions", *SUBGROUP.values()), "")
    return rows


def gaps(block: Block) -> Rows:
    """Return the gap between the best and the worst group of each attribute, by measure."""
    return [
        {
            "by": attribute_title(name),
            "measure": SUBGROUP[measure],
            "worst group": attribute.worst.get(measure, ""),
            "best group": attribute.best.get(measure, ""),
            "gap": attribute.gap[measure].value,
        }
        for name, attribute in block.groups.items()
        for measure in SUBGROUP
        if measure in attribute.gap
    ]


def worst_groups(block: Block) -> Rows:
    """Return the worst group of each attribute by kappa, and the gap to the best."""
    rows: Rows = []
    for name, attribute in block.groups.items():
        worst, gap = attribute.values.get(attribute.worst.get("kappa", "")), attribute.gap.get("kappa")
        if worst and gap:
            ends: Row = {"worst group": attribute.worst["kappa"], "cases": worst.n_cases, "kappa": worst.kappa}
            best: Row = {"best group": attribute.best.get("kappa", ""), "gap in kappa": gap.value}
            rows.append({"by": attribute_title(name)} | ends | best)
    return rows


def console_table(metrics: Metrics) -> str:
    """Return the main figures in aligned columns, without intervals."""
    rows = per_block(metrics.blocks, overview)
    for row, block in zip(rows, metrics.blocks, strict=True):
        for way, title in DIRECTIONS.items():
            row[f"as written, {title}"] = block.retrieval.search("as_written", way).map if block.retrieval else None
    titles = {name: name for name in rows[0]}
    for long, short in ABBREVIATIONS.items():
        titles = {name: title.replace(long, short) for name, title in titles.items()}
    lines = [[titles[name] for name in rows[0] if name != "groups"]]
    for row in rows:
        plain = [
            Figure(cell.value) if isinstance(cell, Figure) else cell for name, cell in row.items() if name != "groups"
        ]
        lines.append([cell_text(cell) for cell in plain])
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    aligned = [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    ]
    return "\n".join(
        [
            "",
            *aligned,
            "(masked, written: mAP of searches; i>n: image to note, n>i: note to image; chance: with masked notes)",
        ]
    )
