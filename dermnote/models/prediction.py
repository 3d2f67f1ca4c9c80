"""What is said of a picture: a class, or how well a description fits."""

from __future__ import annotations

from dataclasses import dataclass

from dermnote.taxonomy import find_class


def percent(share: float) -> str:
    """A probability (0..1) in words that never claim certainty."""
    if share < 0.01:
        return "<1%"
    if share > 0.99:
        return ">99%"
    return f"{share:.0%}"


@dataclass(frozen=True)
class Match:
    """A description and how near a picture lies to it.

    Attributes:
        text: The description.
        score: Cosine between picture and text, -1 to 1. It orders descriptions; it is no probability.
    """

    text: str
    score: float


@dataclass(frozen=True)
class Prediction:
    """One class and how probable the model finds it.

    Attributes:
        label: Class name.
        probability: 0 to 1; all classes of one picture sum to 1. Over-confident unless `config.temperature` was fitted.
        class_id: Position in `config.classnames`.
        malignancy: "benign", "pre-cancerous" or "malignant"; None for a class the taxonomy does not know.
        description: One neutral phrase on the class, or "".
    """

    label: str
    probability: float
    class_id: int
    malignancy: str | None
    description: str

    @classmethod
    def of(cls, label: str, probability: float, class_id: int) -> Prediction:
        """With what the taxonomy knows of the class."""
        known = find_class(label)
        malignancy, description = (known.malignancy, known.description) if known else (None, "")
        return cls(label, probability, class_id, malignancy, description)
