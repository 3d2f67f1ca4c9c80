"""Reading the tables of all sources: which cases there are, before any picture is opened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from dermnote.images.opening import Modality

from .class_mapping import classify
from .sources import LeftOut, RawCase, Rejected, Source, get_reader


@dataclass
class Gathered:
    """What the tables of all sources say.

    Attributes:
        sources: By name, in the order given.
        cases: Cases with a class.
        left_out: Sound rows that are not used.
        rejected: Rows that cannot be used.
    """

    sources: dict[str, Source] = field(default_factory=dict)
    cases: list[RawCase] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)


def gather(sources: Mapping[str, str], scheme: str, modality: Modality | None = None) -> Gathered:
    """Reads the tables of all sources.

    Args:
        sources: Folder (or spec) by name.
        scheme: Of the classes.
        modality: Of the pictures of folders without a reader of their own, where the table does not say.

    Raises:
        CasesError: A folder does not hold what its source looks for.
    """
    gathered = Gathered()
    seen: set[str] = set()
    for name, where in sources.items():
        reader = get_reader(name, modality)
        gathered.sources[name] = reader.source
        for item in reader.read(where):
            if isinstance(item, RawCase):
                item = _checked(item, scheme, seen)
            _put(gathered, item)
    return gathered


def _checked(case: RawCase, scheme: str, seen: set[str]) -> RawCase | LeftOut | Rejected:
    if case.case_id in seen:
        return Rejected(case.source, case.case_id, None, "this id stands twice in the table")
    seen.add(case.case_id)
    return classify(case, scheme)


def _put(gathered: Gathered, item: RawCase | LeftOut | Rejected) -> None:
    if isinstance(item, RawCase):
        gathered.cases.append(item)
    elif isinstance(item, LeftOut):
        gathered.left_out.append(item)
    else:
        gathered.rejected.append(item)
