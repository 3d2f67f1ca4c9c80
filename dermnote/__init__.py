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
    "Prediction": "dermnote.prediction",
    "Match": "dermnote.prediction",
    "Hit": "dermnote.index",
    "CaseIndex": "dermnote.index",
    "Note": "dermnote.notes.schema",
    "NoteWriter": "dermnote.notes.writer",
    "LesionMetadata": "dermnote.case",
    "DermNoteConfig": "dermnote.config",
    "DermNoteError": "dermnote.errors",
    "DermNoteModel": "dermnote.model",
    "ImageEncoder": "dermnote.encoders",
    "TextEncoder": "dermnote.encoders",
}
__all__ = ["__version__", *_HOMES]

if TYPE_CHECKING:
    from dermnote.case import LesionMetadata as LesionMetadata
    from dermnote.config import DermNoteConfig as DermNoteConfig
    from dermnote.encoders import ImageEncoder as ImageEncoder
    from dermnote.encoders import TextEncoder as TextEncoder
    from dermnote.errors import DermNoteError as DermNoteError
    from dermnote.index import CaseIndex as CaseIndex
    from dermnote.index import Hit as Hit
    from dermnote.model import DermNoteModel as DermNoteModel
    from dermnote.notes.schema import Note as Note
    from dermnote.notes.writer import NoteWriter as NoteWriter
    from dermnote.pipeline import DermNote as DermNote
    from dermnote.prediction import Match as Match
    from dermnote.prediction import Prediction as Prediction


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'dermnote' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted(__all__)
