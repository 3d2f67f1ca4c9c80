"""The models a page answers with: the one it was started with, and those that visitors load beside it."""

from __future__ import annotations

import logging
import re
import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from dermnote.app.case_reading import Reader
from dermnote.app.events import speaking
from dermnote.app.model_spec import load_wanted
from dermnote.errors import BundleError, DermNoteError

if TYPE_CHECKING:
    from dermnote import DermNote
    from dermnote.app.llm_quota.quota import Allowance
    from dermnote.notes.writing import NoteWriter

FIRST = ""  # the key of the model the app was started with
KEPT = 2  # others held at a time; the one asked for longest ago goes, and comes back when it is asked for

COMMIT = re.compile(r"@[0-9a-f]{40}$")
FOLDER = re.compile(r"(?<![\w:/.])(?:/[^\s/:'\"]+)+/")  # of a path, which is nobody's business; not of an address
LOST = "The model you chose was put away, and cannot be loaded again."
GO_BACK = "Go back to the first model on the Model tab."


class Models:
    """Readers by key. May be used from several threads at once.

    Args:
        first: The model of everybody who has not chosen another one.
        writer: What asks a language model, as in `Answers`.
        load: Loads what a key names.
        allowance: What may be asked of the language model, with all models together.
    """

    def __init__(
        self,
        first: DermNote,
        writer: NoteWriter | None = None,
        load: Callable[[str], DermNote] = load_wanted,
        allowance: Allowance | None = None,
    ) -> None:
        self._computing, self._writer, self._load = ThreadPoolExecutor(1, "model"), writer, load
        self.first = self._reader(first, allowance)
        self._allowance = self.first.answers.allowance
        self._others: OrderedDict[str, Reader] = OrderedDict()
        self._lock = threading.Lock()  # of `_others`, never held for long
        self._loading = threading.Lock()  # one at a time: what is being loaded is in memory beside those kept

    @speaking
    def __getitem__(self, key: str) -> Reader:
        """The reader of a key that `add` gave; one that went meanwhile is loaded again.

        Raises:
            gr.Error: It cannot be loaded again. Whatever handler asked for it then shows this one line.
        """
        if key == FIRST:
            return self.first
        try:
            return self._held(key) or self._bring(key)[1]
        except DermNoteError as error:
            raise DermNoteError(f"{LOST} {error.message}", GO_BACK) from None

    def add(self, setting: str) -> str:
        """Loads what a visitor names; its key holds the commit, so that it stays the same model.

        Raises:
            DermNoteError: It cannot be loaded.
        """
        return self._bring(setting.strip())[0]

    def _held(self, key: str) -> Reader | None:
        with self._lock:
            if key in self._others:
                self._others.move_to_end(key)
            return self._others.get(key)

    def _bring(self, setting: str) -> tuple[str, Reader]:
        with self._loading:
            held = self._held(setting) if COMMIT.search(setting) else None  # a branch or a folder may have changed
            reader = held or self._read(setting)
            model = reader.answers.model
            key = f"{model.source}@{model.revision}" if model.revision else setting
            self._keep(key, reader)
        return key, reader

    def _read(self, setting: str) -> Reader:
        try:
            return self._reader(self._load(setting), self._allowance)
        except DermNoteError as error:
            error.message, error.hint = (FOLDER.sub("", words) for words in (error.message, error.hint))
            raise
        except Exception as error:  # anybody may have made the bundle: what it breaks must be one line here too
            logging.getLogger(__name__).exception("%s cannot be loaded", setting)
            message = f"{setting} cannot be loaded ({type(error).__name__})."
            raise BundleError(message, "The app's log says why.") from None

    def _reader(self, model: DermNote, allowance: Allowance | None) -> Reader:
        model.compute_in(self._computing)
        return Reader(model, self._writer, allowance)

    def _keep(self, key: str, reader: Reader) -> None:
        with self._lock:
            self._others[key] = reader
            self._others.move_to_end(key)
            while len(self._others) > KEPT:
                self._others.popitem(last=False)
