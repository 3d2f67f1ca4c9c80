"""What is going to be sent, and what it will cost: for the question before the first request, and for a dry run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from dermnote.errors import PictureError
from dermnote.llm.image_payload import LONGEST_SIDE
from dermnote.llm.llm_errors import Usage
from dermnote.llm.prices import FREE, Price
from dermnote.llm.request import Asking
from dermnote.llm.token_estimate import estimate, scaled

from .decisions import Decisions, Job
from .records import Records

SAMPLE = 200  # requests that are looked at to tell what all of them take


@dataclass(frozen=True)
class Outlook:
    """The requests of a run.

    Attributes:
        jobs: What is asked for, each with a request of its own.
        usual: Tokens to expect.
        worst: Tokens it takes at most.
        price: What they cost; None if nobody knows.
        batch: Whether batch prices apply.
    """

    jobs: Sequence[Job]
    usual: Usage
    worst: Usage
    price: Price | None
    batch: bool

    def rows(self) -> dict[str, str]:
        """Titles and values: strategies with what they are told, picture, tokens, cost."""
        counts = Counter(job.asking.strategy.name for job in self.jobs)
        askings = {job.asking.strategy.name: job.asking for job in self.jobs}
        rows = {name: f"{count:,} requests with {told(askings[name])}" for name, count in counts.items()}
        detail = next(iter(askings.values())).detail
        rows["picture"] = f"JPEG of at most {LONGEST_SIDE} px, detail {detail}; no EXIF, no file name, no id"
        rows["tokens"] = f"about {_round(self.usual.prompt_tokens)} in and {_round(self.usual.completion_tokens)} out"
        return rows | {"cost": self.cost()}

    def cost(self) -> str:
        """About, and at most; or that the price is unknown."""
        if self.price is None:
            return "unknown: the model is in no price table (see --prices)"
        usual, worst = (self.price.cost(each, batch=self.batch) for each in (self.usual, self.worst))
        said = f"about {dollars(usual)}, at most {dollars(worst)}"
        return f"{said} (batch price)" if self.batch else said


def look_ahead(
    jobs: Sequence[Job], cases: Records, decisions: Decisions, price: Price | None, *, batch: bool
) -> Outlook:
    """Estimates from a sample, evenly taken."""
    sample = jobs[:: -(-len(jobs) // SAMPLE)] if jobs else []
    picture = (price or FREE).picture
    found = []
    for job in sample:
        request = decisions.request(job.row, job.asking, cases.metadata(job.row))
        with suppress(PictureError):  # it will be one of the failures
            found.append(estimate(request, cases.images[job.row], picture, repairs=not batch))
    usual, worst = ([getattr(each, name) for each in found] for name in ("usual", "worst"))
    return Outlook(jobs, scaled(usual, len(jobs)), scaled(worst, len(jobs)), price, batch)


def _round(count: int) -> str:
    """Three digits say all that an estimate knows."""
    return f"{float(f'{count:.3g}'):,.0f}"


def told(asking: Asking) -> str:
    """What of a case leaves the house."""
    picture = "the picture" if asking.strategy.uses_picture else "no picture"
    record = f"of the record: {', '.join(asking.told)}" if asking.told else "nothing of the record"
    return f"{picture} and {record}"


def dollars(amount: float) -> str:
    """Cents where there are some, more digits where there are none."""
    return f"${amount:,.2f}" if amount >= 0.1 or amount == 0 else f"${amount:.4f}"
