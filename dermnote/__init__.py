"""DermNote: clinical notes for skin lesion images, and encoders trained on the pairs.

Research software: never a diagnosis.

>>> from dermnote import DermNote
>>> model = DermNote.from_pretrained()          # the embedded starter; or "org/name", or a folder
>>> model.classify("lesion.jpg")[0].label
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

# Imported on first use, so that `import dermnote` does not take the seconds that torch and transformers need.
_MODULES = {
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
    "ImageEncoder": "dermnote.models.image_encoder",
    "TextEncoder": "dermnote.models.text_encoder",
}
__all__ = ["__version__", *_MODULES]

if TYPE_CHECKING:
    from dermnote.config import DermNoteConfig as DermNoteConfig
    from dermnote.errors import DermNoteError as DermNoteError
    from dermnote.index import CaseIndex as CaseIndex
    from dermnote.index import Hit as Hit
    from dermnote.metadata import LesionMetadata as LesionMetadata
    from dermnote.models.image_encoder import ImageEncoder as ImageEncoder
    from dermnote.models.joint_model import DermNoteModel as DermNoteModel
    from dermnote.models.prediction import Match as Match
    from dermnote.models.prediction import Prediction as Prediction
    from dermnote.models.text_encoder import TextEncoder as TextEncoder
    from dermnote.notes.schema import Note as Note
    from dermnote.notes.writing import NoteWriter as NoteWriter
    from dermnote.pipeline import DermNote as DermNote


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return getattr(import_module(_MODULES[name]), name)
    raise AttributeError(f"module 'dermnote' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted(__all__)
