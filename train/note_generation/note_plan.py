"""Which notes a language model has to write, and which stand already."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from tqdm.auto import tqdm

from dermnote.errors import NotesError
from dermnote.llm.request import Asking
from dermnote.notes.template import has_diagnosis

from .decisions import Decisions, Job
from .journal import Journal
from .records import Records
from .run_counts import Tally


@dataclass
class Plan:
    """The work of a run.

    Attributes:
        jobs: Notes that are missing or out of date.
        others: Rows that notes of another model would take the place of, by strategy and model.
    """

    jobs: list[Job] = field(default_factory=list)
    others: dict[tuple[str, str], int] = field(default_factory=dict)


def make_plan(
    cases: Records, journal: Journal, decisions: Decisions, askings: Sequence[Asking], tallies: dict[str, Tally]
) -> Plan:
    """Goes through every case and strategy; what stays and what has no metadata is counted in the tallies."""
    plan = Plan()
    with tqdm(total=len(cases) * len(askings), desc="looking for notes", unit="note", leave=False) as bar:
        for row, case_id in enumerate(cases.case_ids):
            metadata = cases.metadata(row)
            known = has_diagnosis(metadata)
            for asking in askings:
                bar.update()
                name = asking.strategy.name
                if asking.strategy.tells and not known:
                    tallies[name].without_metadata += 1
                    continue
                request, entry = decisions.request(row, asking, metadata), journal.entries.get((case_id, name))
                if decisions.stays(entry, request, metadata):
                    tallies[name].kept += 1
                    continue
                plan.jobs.append(Job(row, case_id, asking, request.key))
                if entry is not None and entry.model != asking.model:
                    plan.others[name, entry.model] = plan.others.get((name, entry.model), 0) + 1
    for tally in tallies.values():
        refuse_empty(len(cases), tally)
    return plan


def refuse_empty(cases: int, tally: Tally) -> None:
    """Stops a strategy that tells the record where there is none at all; NotesError."""
    if tally.without_metadata == cases:
        raise NotesError(f"None of the {cases} cases has metadata to write a note from.", "Strategy p3 needs none.")


def refuse_other_models(plan: Plan, journal: Journal, model: str) -> None:
    """Stops a run that would put another model's notes in the place of notes that were paid for.

    Raises:
        NotesError: It would.
    """
    for (strategy, other), count in plan.others.items():
        raise NotesError(
            f"{journal.path} holds {count:,} {strategy} notes by {other}, and {model} would take their place.",
            "Name another file for --out, or add --replace.",
        )


def split_twins(jobs: Sequence[Job]) -> tuple[list[Job], list[Job]]:
    """The jobs with a request of their own, and those whose request is the same as an earlier one's."""
    firsts: dict[str, Job] = {}
    twins = [job for job in jobs if firsts.setdefault(job.request, job) is not job]
    return list(firsts.values()), twins
