"""DermNote: clinical notes for skin lesion pictures, and encoders trained on the pairs.

Research software: never a diagnosis.

>>> from dermnote import DermNote
>>> model = DermNote.from_pretrained()          # the embedded starter; or "org/name", or a folder
>>> model.classify("lesion.jpg")[0].label
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

# Names are imported when first used: `import dermnote` must not cost the seconds that torch and transformers take.
_HOMES = {
    "DermNote": "dermnote.pipeline",
    "Prediction": "dermnote.models.prediction",
    "Match": "dermnote.models.prediction",
    "Hit": "dermnote.index",
    "CaseIndex": "dermnote.index",
    "Note": "dermnote.notes.schema",
    "NoteWriter": "dermnote.notes.writing",
    "LesionMetadata": "dermnote.metadata",
    "DermNoteConfig": "dermnote.config",
    "DermNoteError": "dermnote.errors",
    "DermNoteModel": "dermnote.models.joint_model",
    "ImageEncoder": "dermnote.models.encoders",
    "TextEncoder": "dermnote.models.encoders",
}
__all__ = ["__version__", *_HOMES]

if TYPE_CHECKING:
    from dermnote.config import DermNoteConfig as DermNoteConfig
    from dermnote.errors import DermNoteError as DermNoteError
    from dermnote.index.case_index import CaseIndex as CaseIndex
    from dermnote.index.case_index import Hit as Hit
    from dermnote.metadata import LesionMetadata as LesionMetadata
    from dermnote.models.encoders import ImageEncoder as ImageEncoder
    from dermnote.models.encoders import TextEncoder as TextEncoder
    from dermnote.models.joint_model import DermNoteModel as DermNoteModel
    from dermnote.models.prediction import Match as Match
    from dermnote.models.prediction import Prediction as Prediction
    from dermnote.notes.schema import Note as Note
    from dermnote.notes.writing import NoteWriter as NoteWriter
    from dermnote.pipeline import DermNote as DermNote


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'dermnote' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted(__all__)
