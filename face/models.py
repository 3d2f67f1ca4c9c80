"""The models a page answers with: the one it was started with, and those that visitors load beside it."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING

from dermnote.errors import ConfigError
from face.reading import Reader

if TYPE_CHECKING:
    from dermnote import DermNote
    from dermnote.notes.writer import NoteWriter

FIRST = ""  # the key of the model the app was started with
KEPT = 2  # others held at a time; the one asked for longest ago goes, and comes back when it is asked for


def load_from(setting: str) -> DermNote:
    """Loads a bundle as DERMNOTE_MODEL names one: a folder, a Hub repository, or a repository@revision."""
    from dermnote import DermNote

    source, _, revision = setting.partition("@")
    return DermNote.from_pretrained(source, revision=revision or None)


class Models:
    """Readers by key. May be used from several threads at once.

    Args:
        first: The model of everybody who has not chosen another one.
        writer: What asks a language model, as in `Answers`.
        load: Loads what a key names.
    """

    def __init__(
        self, first: DermNote, writer: NoteWriter | None = None, load: Callable[[str], DermNote] = load_from
    ) -> None:
        self.first = Reader(first, writer)
        self._writer, self._load = writer, load
        self._others: OrderedDict[str, Reader] = OrderedDict()
        self._lock = threading.Lock()

    def __getitem__(self, key: str) -> Reader:
        """The reader of a key that `add` gave; one that went meanwhile is loaded again.

        Raises:
            DermNoteError: It cannot be loaded again.
        """
        if key == FIRST:
            return self.first
        with self._lock:
            if key not in self._others:
                self._keep(key, self._load(key))
            self._others.move_to_end(key)
            return self._others[key]

    def add(self, setting: str) -> str:
        """Loads what a visitor names; its key holds the commit, so that it stays the same model.

        Raises:
            DermNoteError: It cannot be loaded.
        """
        if not setting.strip():
            raise ConfigError("There is no name yet.", "Type a Hub repository, as org/name.")
        model = self._load(setting.strip())
        key = f"{model.source}@{model.revision}" if model.revision else setting.strip()
        with self._lock:
            self._keep(key, model)
        return key

    def _keep(self, key: str, model: DermNote) -> None:
        self._others[key] = Reader(model, self._writer)
        self._others.move_to_end(key)
        while len(self._others) > KEPT:
            self._others.popitem(last=False)
