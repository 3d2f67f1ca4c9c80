"""Results on an image: class probabilities and similarities with descriptions."""

from __future__ import annotations

from dataclasses import dataclass

from dermnote.taxonomy import find_class


def percent(share: float) -> str:
    """Format a probability (0..1) without claiming certainty."""
    if share < 0.01:
        return "<1%"
    if share > 0.99:
        return ">99%"
    return f"{share:.0%}"


@dataclass(frozen=True)
class Match:
    """A description and its similarity with an image.

    Attributes:
        text: The description.
        score: Cosine between image and text, -1 to 1; a ranking score, not a probability.
    """

    text: str
    score: float


@dataclass(frozen=True)
class Prediction:
    """A class and its predicted probability.

    Attributes:
        label: Class name.
        probability: 0 to 1; all classes of one image sum to 1. Over-confident unless `config.temperature` was fitted.
        class_id: Position in `config.classnames`.
        malignancy: "benign", "pre-cancerous" or "malignant"; None for a class outside the taxonomy.
        description: Neutral phrase on the class, or "".
    """

    label: str
    probability: float
    class_id: int
    malignancy: str | None
    description: str

    @classmethod
    def of(cls, label: str, probability: float, class_id: int) -> Prediction:
        """Add malignancy and description from the taxonomy."""
        known = find_class(label)
        malignancy, description = (known.malignancy, known.description) if known else (None, "")
        return cls(label, probability, class_id, malignancy, description)
