"""What a classification gives back: one class."""

from __future__ import annotations

from dataclasses import dataclass

from dermnote.taxonomy import find_class


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
