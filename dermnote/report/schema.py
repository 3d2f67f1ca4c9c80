"""Typed schema of metrics.json; `train.evaluate` documents the meaning of each key.

A bundle's metrics.json may have been written by anybody, so every value is checked for type and range (see
`checked_json`): what does not fit is read as not measured. Texts are one line, still to be escaped.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import islice
from typing import Annotated, Any, Self

from dermnote.report.checked_json import (
    Count,
    CountByName,
    Figure,
    FigureByName,
    Plain,
    Record,
    Share,
    Text,
    TextByName,
    Texts,
    Wide,
    as_count,
    as_list,
    as_mapping,
    as_number,
    as_share,
    as_text,
    list_of,
    object_of,
)

VERSIONS = {"masked": "diagnosis masked", "as_written": "as written"}
DIRECTIONS = {"image_to_text": "image to note", "text_to_image": "note to image"}
DRAWN = "drawn"  # source of the lesions drawn by a program: easy, and never pooled with photographs


@dataclass(frozen=True)
class Bin(Record):
    """Cases whose likeliest class got about the same probability."""

    confidence: Share
    accuracy: Share
    n_cases: Count


@dataclass(frozen=True)
class Classification(Record):
    """Classification from the image alone; rows of the confusion matrix are true classes."""

    kappa: Figure
    balanced_accuracy: Figure
    macro_auroc: Figure
    melanoma_vs_nevus_auroc: Figure
    accuracy: Figure
    macro_f1: Figure
    kappa_linear: Figure
    ece_uncalibrated: Plain
    ece: Plain
    negative_log_likelihood: Wide
    brier: Plain
    recall: FigureByName
    support: CountByName
    confusion: Annotated[tuple[tuple[int, ...], ...], list_of(list_of(as_count))]
    reliability: Annotated[tuple[Bin, ...], list_of(Bin.read)]
    classes_absent: Texts


@dataclass(frozen=True)
class Scored(Record):
    """Figures of zero-shot answers (with `prompts`) or of a linear probe (with what it was fitted on)."""

    kappa: Figure
    balanced_accuracy: Figure
    macro_auroc: Figure
    prompts: TextByName
    n_train: Count
    n_groups: Count
    classes_absent: Texts


@dataclass(frozen=True)
class SubtypeSearch(Record):
    """A search where relevant is what has the query's class and its subtype."""

    map: Figure
    chance: Plain
    n_queries: Count


@dataclass(frozen=True)
class Search(Record):
    """One direction of retrieval: mean average precision, and ranks of the query's own partner."""

    map: Figure
    chance: Plain
    left_out: Count
    recall_of_own: FigureByName
    precision: FigureByName
    median_rank_of_own: Wide
    by_subtype: Annotated[SubtypeSearch | None, SubtypeSearch.read_if_any]


@dataclass(frozen=True)
class Retrieval(Record):
    """Searches across image and note, by direction, with the diagnosis masked and with the notes as written."""

    masked: Annotated[Mapping[str, Search], object_of(Search.read_if_any)]
    as_written: Annotated[Mapping[str, Search], object_of(Search.read_if_any)]
    n_queries: Count
    n_gallery: Count
    without_note: Count
    distinct_notes: CountByName

    def search(self, version: str, direction: str) -> Search:
        """Return the search of `VERSIONS` and `DIRECTIONS`; an undefined one if it was not measured."""
        found: Mapping[str, Search] = getattr(self, version)
        return found.get(direction) or Search.read(None)


@dataclass(frozen=True)
class Alignment(Record):
    """Cosines of pairs, and the geometry of the embedding space, for one version of the notes."""

    paired_cosine: Figure
    random_pairs: Plain
    modality_gap: Plain
    uniformity: Annotated[Mapping[str, Figure], object_of(Figure.read_wide)]


def _shares(value: Any) -> tuple[float | None, ...]:
    return tuple(as_share(each) for each in as_list(value))


@dataclass(frozen=True)
class Curve(Record):
    """Risk and coverage, and the area below the curve."""

    aurc: Figure
    coverage: Annotated[tuple[float | None, ...], _shares]
    risk: Annotated[tuple[float | None, ...], _shares]

    @property
    def points(self) -> list[tuple[float, float]]:
        """Share of cases answered and share of the answers that are wrong, by the first."""
        pairs = zip(self.coverage, self.risk, strict=False)
        return sorted((share, wrong) for share, wrong in pairs if share is not None and wrong is not None)


@dataclass(frozen=True)
class Far(Record):
    """Cases farther from the training cases than 95% of the validation cases."""

    n_flagged: Count
    accuracy_flagged: Plain
    accuracy_kept: Plain


@dataclass(frozen=True)
class Selective(Record):
    """Wrong answers as doubtful cases are left out, by what orders them."""

    confidence: Annotated[Curve | None, Curve.read_if_any]
    distance: Annotated[Curve | None, Curve.read_if_any]
    far: Annotated[Far | None, Far.read_if_any]


@dataclass(frozen=True)
class Group(Record):
    """Cases with one value of an attribute; every figure is undefined where they are too few."""

    kappa: Figure
    balanced_accuracy: Figure
    macro_auroc: Figure
    map_image_to_text: Figure
    map_text_to_image: Figure
    paired_cosine: Figure
    n_cases: Count
    n_groups: Count


@dataclass(frozen=True)
class Gap(Record):
    """Difference between the best and the worst group."""

    value: Figure


@dataclass(frozen=True)
class Attribute(Record):
    """Groups by the value of an attribute (sex, age band, ...); names of the best and the worst group by measure."""

    values: Annotated[Mapping[str, Group], object_of(Group.read)]
    not_recorded: Count
    best: TextByName
    worst: TextByName
    gap: Annotated[Mapping[str, Gap], object_of(Gap.read_if_any)]


@dataclass(frozen=True)
class Block(Record):
    """Figures of the cases of one source in one split; the source "all" pools the photographs of several."""

    sources: Texts
    n_cases: Count
    n_groups: Count
    classification: Annotated[Classification, Classification.read]
    retrieval: Annotated[Retrieval | None, Retrieval.read_if_any]
    retrieval_all: Annotated[Retrieval | None, Retrieval.read_if_any]
    alignment: Annotated[Mapping[str, Alignment], object_of(Alignment.read_if_any)]
    zero_shot: Annotated[Scored | None, Scored.read_if_any]
    selective: Annotated[Selective, Selective.read]
    linear_probe: Annotated[Mapping[str, Scored], object_of(Scored.read_if_any)]
    groups: Annotated[Mapping[str, Attribute], object_of(Attribute.read)]
    split: str = ""
    source: str = ""
    classnames: tuple[str, ...] = ()

    @property
    def drawn(self) -> bool:
        """True where its lesions are drawn by a program."""
        return self.source == DRAWN or self.sources == (DRAWN,)

    @property
    def name(self) -> str:
        """Split and source as a heading."""
        return f"{self.split}, {'all photographs' if self.source == 'all' else self.source}"

    @property
    def confusion(self) -> tuple[tuple[int, ...], ...]:
        """Confusion matrix by class id; empty if it does not fit the classes."""
        found, size = self.classification.confusion, len(self.classnames)
        return found if [len(row) for row in found] == [size] * size else ()

    @property
    def absent(self) -> list[str]:
        """Classes without a case, by the confusion matrix."""
        return [name for name, row in zip(self.classnames, self.confusion, strict=False) if not sum(row)]

    @property
    def recall(self) -> dict[str, tuple[float, int]]:
        """Recall (0..1) and number of cases of each class that has any, by class name."""
        found = {
            name: (self.classification.recall.get(name, Figure()).value, self.classification.support.get(name, 0))
            for name in self.classnames
        }
        return {name: (share, n) for name, (share, n) in found.items() if share is not None and 0 <= share <= 1 and n}


@dataclass(frozen=True)
class Bootstrap(Record):
    """Draws and seed of the intervals."""

    n_boot: Count
    seed: Count


@dataclass(frozen=True)
class Published(Record):
    """Commit of a published model, and the measured sources that it was trained on."""

    revision: Text
    trained_on_too: Texts


@dataclass(frozen=True)
class Metrics(Record):
    """metrics.json as a whole; a text is "" where it is unknown or does not apply."""

    run: Text
    cases: Text
    notes: Text
    strategy: Text
    classnames: Texts
    temperature: Annotated[float | None, as_number]
    left_out: Count
    seed: Count
    bootstrap: Annotated[Bootstrap, Bootstrap.read]
    device: Text
    command: Text
    versions: TextByName
    published: Annotated[Published, Published.read]
    blocks: tuple[Block, ...] = ()

    @property
    def main_blocks(self) -> list[Block]:
        """Of each split the block of all photographs, or of its only source; of drawn lesions if there is no other."""
        found: dict[str, Block] = {}
        for block in sorted(self.blocks, key=lambda block: (block.source != "all", block.drawn)):
            found.setdefault(block.split, block)
        return [found[split] for split in dict.fromkeys(block.split for block in self.blocks)]

    @property
    def separate_blocks(self) -> list[Block]:
        """Blocks that share no case: without those whose source the block "all" of their split pools."""
        pooled = {(block.split, name) for block in self.blocks if block.source == "all" for name in block.sources}
        return [block for block in self.blocks if (block.split, block.source) not in pooled]

    @classmethod
    def read(cls, value: Any, max_blocks: int | None = None) -> Self:
        """Return the metrics of parsed JSON of any shape, without the block "all" where it pools a single source.

        Apply `bounded` first to a file from outside, and limit the number of blocks.
        """
        found = super().read(value)
        names = found.classnames
        names = names if all(names) and len(set(names)) == len(names) else ()
        blocks = (
            replace(Block.read(raw), split=as_text(split) or "?", source=as_text(source) or "?", classnames=names)
            for split, sources in as_mapping(as_mapping(value).get("splits")).items()
            for source, raw in as_mapping(sources).items()
            if as_mapping(raw) and (source != "all" or len(as_list(raw.get("sources"))) > 1)
        )
        return replace(found, classnames=names, blocks=tuple(islice(blocks, max_blocks)))
