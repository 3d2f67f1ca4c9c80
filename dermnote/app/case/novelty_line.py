"""How far a picture lies from those the model was trained on, in one sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dermnote.models.novelty import Novelty


def novelty_line(found: Novelty | None) -> str:
    """A warning for a picture unlike all that was trained on, a quiet line for others; "" if the bundle cannot tell."""
    if found is None:
        return ""
    farther = "all" if found.nearer >= 1 else f"{found.nearer:.0%}"
    if found.far:
        return (
            '<p class="dn-far" role="status"><strong>Unlike what this model was trained on.</strong> It lies farther '
            f"from that than {farther} of the pictures the model was checked on: what is said below is a guess.</p>"
        )
    return (
        '<p class="dn-near">Like pictures this model was trained on: '
        f"{1 - found.nearer:.0%} of the pictures it was checked on lie farther from those.</p>"
    )
