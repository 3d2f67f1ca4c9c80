"""Models of the page: the one it was started with, and those that visitors load."""

from __future__ import annotations

import logging
import re
import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from dermnote.app.events import shown_error
from dermnote.app.service import AppService, load_model
from dermnote.errors import BundleError, DermNoteError

if TYPE_CHECKING:
    from dermnote import DermNote
    from dermnote.app.llm_quota.quota import Allowance
    from dermnote.notes.writing import NoteWriter

FIRST = ""  # key of the model the app was started with
KEPT = 2  # others in memory; the least recently used is unloaded, and loaded again when it is needed

COMMIT = re.compile(r"@[0-9a-f]{40}$")
FOLDER = re.compile(r"(?<![\w:/.])(?:/[^\s/:'\"]+)+/")  # of a path, which is private; not of an address
LOST = "The selected model was unloaded, and cannot be loaded again."
GO_BACK = "Go back to the first model on the Model tab."


class Models:
    """Services by key. May be used from several threads at once.

    Args:
        first: Model of all visitors who selected no other one.
        writer: As in `AppService`.
        load: Loads the model of a key.
        allowance: As in `AppService`; shared by all models.
    """

    def __init__(
        self,
        first: DermNote,
        writer: NoteWriter | None = None,
        load: Callable[[str], DermNote] = load_model,
        allowance: Allowance | None = None,
    ) -> None:
        self._computing, self._writer, self._load = ThreadPoolExecutor(1, "model"), writer, load
        self.first = self._serve(first, allowance)
        self._allowance = self.first.allowance
        self._others: OrderedDict[str, AppService] = OrderedDict()
        self._lock = threading.Lock()  # of `_others`, never held for long
        self._loading = threading.Lock()  # one at a time: a model being loaded is in memory beside those kept

    def __getitem__(self, key: str) -> AppService:
        """Return the service of a key that `add` returned; a model that was unloaded is loaded again.

        Raises:
            gr.Error: It cannot be loaded again. The handler that needs it then shows this one line.
        """
        if key == FIRST:
            return self.first
        try:
            return self._held(key) or self._bring(key)[1]
        except DermNoteError as error:
            raise shown_error(DermNoteError(f"{LOST} {error.message}", GO_BACK)) from None

    def add(self, setting: str) -> str:
        """Load a model by name; return its key, which holds the commit, so that it stays the same model.

        Raises:
            DermNoteError: It cannot be loaded.
        """
        return self._bring(setting.strip())[0]

    def _held(self, key: str) -> AppService | None:
        with self._lock:
            if key in self._others:
                self._others.move_to_end(key)
            return self._others.get(key)

    def _bring(self, setting: str) -> tuple[str, AppService]:
        with self._loading:
            held = self._held(setting) if COMMIT.search(setting) else None  # a branch or a folder may have changed
            service = held or self._load_service(setting)
            model = service.model
            key = f"{model.source}@{model.revision}" if model.revision else setting
            self._keep(key, service)
        return key, service

    def _load_service(self, setting: str) -> AppService:
        try:
            return self._serve(self._load(setting), self._allowance)
        except DermNoteError as error:
            error.message, error.hint = (FOLDER.sub("", text) for text in (error.message, error.hint))
            raise
        except Exception as error:  # bundles come from anybody: an unforeseen error must be one line too
            logging.getLogger(__name__).exception("%s cannot be loaded", setting)
            message = f"{setting} cannot be loaded ({type(error).__name__})."
            raise BundleError(message, "The app's log says why.") from None

    def _serve(self, model: DermNote, allowance: Allowance | None) -> AppService:
        model.compute_in(self._computing)
        return AppService(model, self._writer, allowance)

    def _keep(self, key: str, service: AppService) -> None:
        with self._lock:
            self._others[key] = service
            self._others.move_to_end(key)
            while len(self._others) > KEPT:
                self._others.popitem(last=False)
