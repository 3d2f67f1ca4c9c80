"""comparison.md of a grid: the paper's tables in its shape, what separates the cells, and how it was measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..evaluation.metric_format import DIRECTIONS, VERSIONS, number, table
from .paper import SOURCE
from .paper_tables import cosine_tables, kappa_table, retrieval_tables
from .phrasing import difference_in_words, measure_in_words, verdict_in_words
from .plan import IMAGE_ONLY
from .report_lookup import (
    caption,
    cell_name,
    cell_text,
    in_row,
    key_of,
    queried_cells,
    row_title,
    searched_with_own,
    whole_rows,
)

PICTURES = {
    "kappa.png": "Kappa from the picture alone, mean over seeds, 95% over patients or lesions",
    "retrieval.png": "Retrieval by training notes, diagnosis masked and as written; the mark is chance",
    "differences.png": "Differences on the same cases, with 95% intervals",
    "queries.png": "Strategies as queries, on the same lesions through the same models",
}


def write_markdown(told: Mapping[str, Any], pictures: Sequence[str]) -> str:
    """The whole comparison.md.

    Args:
        told: What comparison.json holds.
        pictures: Names of the pictures that were drawn.
    """
    parts = [
        "# Comparison of note strategies",
        "Research use only, never a diagnosis.",
        _summary(told),
        kappa_table(told),
        retrieval_tables(told, 3, "image_to_text"),
        retrieval_tables(told, 4, "text_to_image"),
        cosine_tables(told),
        _differences(told),
        _others(told),
        _queries(told),
        *(f"![{words}]({name})" for name, words in PICTURES.items() if name in pictures),
        _left_out(told),
        _method(told),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _summary(told: Mapping[str, Any]) -> str:
    lines = [
        line for row in whole_rows(told) for line in (*_told_of_training(told, row), *_told_of_searching(told, row))
    ]
    if not lines:
        return "## In plain words\n\nNothing is finished that could be compared yet."
    rule = (
        "An interval that holds 0 allows no statement either way: it is no proof that two cells are alike. A difference"
        " counts as told only if its interval leaves 0 out and every seed shows the same sign. Notes that name the"
        " class give retrieval as written nearly away; the masked figure is the headline."
    )
    return "## In plain words\n\n" + "\n".join(f"- {line}" for line in lines) + f"\n\n{rule}"


def _told_of_training(told: Mapping[str, Any], row: Mapping[str, Any]) -> list[str]:
    """Kappa of every strategy against image-only, in words."""
    return [
        difference_in_words(row_title(told, row), each)
        for each in told["differences"]
        if in_row(each, row) and each["measure"] == "kappa" and each["second"] == IMAGE_ONLY
    ]


def _told_of_searching(told: Mapping[str, Any], row: Mapping[str, Any]) -> list[str]:
    """Whether masked search is above chance, in words."""
    lines = []
    for each in told["figures"]:
        inside = (
            in_row(each, row) and each["kind"] == "map" and each["version"] == "masked" and each["chance"] is not None
        )
        if not inside or not (searched_with_own(each) or cell_name(each) in queried_cells(told)):
            continue
        above = each["ci"] is not None and each["ci"][0] > each["chance"]
        lines.append(
            f"{row_title(told, row)}: with the diagnosis masked, {DIRECTIONS[each['direction']]} search with"
            f" {each['queries']} notes is {'above chance' if above else 'not told from chance'}"
            f" ({number(each['mean'], each['ci'])}, chance {number(each['chance'])})."
        )
    return lines


def _differences(told: Mapping[str, Any]) -> str:
    chosen = [each for each in told["differences"] if each["second"] == IMAGE_ONLY]
    what = "Strategy minus image-only on the same cases, paired; trained with the same budget and seeds."
    return _difference_table(told, "## Against image-only", chosen, what)


def _others(told: Mapping[str, Any]) -> str:
    """What else was trained: losses left out, frozen text."""
    queried = queried_cells(told)
    extra = [cell for cell in told["cells"] if cell["column"] is None and cell["seeds"] and cell["name"] not in queried]
    if not extra:
        return ""
    names = {cell["recipe"]: cell["about"] for cell in extra}
    measures = ["kappa", *(f"map:{{}}:masked:{way}" for way in DIRECTIONS), "cosine:{}:masked"]
    rows = []
    for row in whole_rows(told):
        for recipe in ["m", *names]:
            found = {key_of(each): each for each in told["figures"] if in_row(each, row) and each["recipe"] == recipe}
            queries = next((each["queries"] for each in found.values() if each["queries"]), "")
            cells = [found.get(measure.format(queries)) for measure in measures]
            if any(cells):
                said = [cell_text(each, told) if each else "–" for each in cells]
                rows.append([row_title(told, row), recipe, names.get(recipe, "all losses"), *said])
    header = ["partition", "cell", "what is special", *(measure_in_words(each.format("m")) for each in measures)]
    chosen = [each for each in told["differences"] if each["first"] in names]
    rest = _difference_table(told, "### What it changes", chosen, "On the same cases, paired.")
    return f"## Losses and text encoders\n\n{table(header, rows)}\n\n{caption(told, 'As above.')}\n\n{rest}"


def _queries(told: Mapping[str, Any]) -> str:
    """Notes of several writers for the same lesions, searched through models trained on notes of one strategy."""
    cells = [cell for cell in told["cells"] if cell["name"] in queried_cells(told)]
    if not cells:
        return ""
    parts = ["## Strategies as queries, on the same lesions"]
    for cell in cells:
        row = {"partition": cell["partition"], "row": "all"}
        inside = [each for each in told["figures"] if in_row(each, row) and each["recipe"] == cell["recipe"]]
        measures = [(kind, version, way) for version in VERSIONS for kind, way in _searches()]
        rows = []
        for queries in cell["queries"]:
            found = {
                (each["kind"], each["version"], each["direction"]): each
                for each in inside
                if each["queries"] == queries
            }
            rows.append([queries, *(cell_text(found[each], told) for each in measures)])
        header = ["notes", *(measure_in_words(":".join(filter(None, (k, v, w)))) for k, v, w in measures)]
        cases = next(each["n_cases"] for each in told["rows"] if in_row(each, row))
        what = (
            f"No model was trained on these notes: there are too few. {cell['recipe']} was trained on template notes of"
            " other lesions (of drawn ones too, with their findings, where the cases hold some), and each strategy's"
            f" notes of the same {cases} lesions, all of them held out, are searched with, picture to note and note to"
            " picture among just these lesions."
        )
        inside = [each for each in told["differences"] if in_row(each, row) and each["first"].endswith(" notes")]
        chosen = sorted(inside, key=lambda each: "as_written" in each["measure"])  # stable: the headline first
        rest = _difference_table(told, "### Strategy against strategy", chosen, "The same lesions and models, paired.")
        parts += [table(header, rows), caption(told, what), rest]
    return "\n\n".join(parts)


def _searches() -> list[tuple[str, str]]:
    return [*(("map", way) for way in DIRECTIONS), ("cosine", "")]


def _difference_table(told: Mapping[str, Any], title: str, chosen: Sequence[Mapping[str, Any]], what: str) -> str:
    if not chosen:
        return ""
    rows = [
        [
            row_title(told, each),
            each["first"],
            each["second"],
            measure_in_words(each["measure"]),
            number(each["value"], each["ci"], signed=True),
            ", ".join(f"{value:+.3f}" for value in each["by_seed"]),
            verdict_in_words(each),
        ]
        for each in chosen
    ]
    header = ["partition, data", "first", "second", "measure", "first minus second [95%]", "by seed", "verdict"]
    return f"{title}\n\n{table(header, rows)}\n\n{caption(told, what)}"


def _left_out(told: Mapping[str, Any]) -> str:
    if not told["left_out"]:
        return ""
    rows = [[each["name"], each["reason"]] for each in told["left_out"]]
    return f"## Left out\n\n{table(['cell', 'why'], rows)}"


def _method(told: Mapping[str, Any]) -> str:
    draws = f"{told['bootstrap']} draws"
    lines = [
        "Every cell learns with the same budget, seeds and settings, but for what its name says; the best epoch is"
        " chosen on validation cases.",
        f"Intervals: 95%, by drawing patients or lesions anew ({draws}), the same draws for both sides of a difference."
        " They do not cover what another seed would change; that is told seed by seed.",
        "No patient, lesion or identical picture is on both sides of a partition. Drawn lesions are never pooled with"
        " photographs.",
        *told["told"],
        f"The paper's figures: {SOURCE}; other data, other network. `?` is not public.",
        f"Notes: {told['notes']}; query notes: {told['query_notes'] or 'none'};"
        f" {', '.join(f'{name} {version}' for name, version in told['versions'].items())}.",
    ]
    return "## How it was measured\n\n" + "\n".join(f"- {line}" for line in lines)
