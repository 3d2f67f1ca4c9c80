"""Which batches are under way, on disk, so that a restart collects them instead of paying a second time."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from dermnote.errors import NotesError
from dermnote.storage import replacing_file


@dataclass
class Part:
    """One batch.

    Attributes:
        name: Ours; it stands in the batch's metadata, by which it is found again if we died before its id was saved.
        file_id: Of the requests at the server.
        batch_id: "" until it is known.
        requests: How many.
    """

    name: str
    file_id: str
    requests: int
    batch_id: str = ""


class BatchState:
    """The batches of one notes file; the file that tells of them is gone when there are none.

    Args:
        path: That file.
        host: Where they are.

    Raises:
        NotesError: The file is damaged, or they are at another host.
    """

    def __init__(self, path: Path, host: str) -> None:
        self.path, self._host = path, host
        self.parts: list[Part] = []
        if path.exists():
            self._read()

    def add(self, part: Part) -> None:
        """Takes a batch down before it is started."""
        self.parts.append(part)
        self.save()

    def drop(self, part: Part) -> None:
        """Forgets a batch whose replies are safe."""
        self.parts.remove(part)
        self.save()

    def save(self) -> None:
        """Brings the file up to date."""
        if not self.parts:
            self.path.unlink(missing_ok=True)
            return
        with replacing_file(self.path) as aside:
            told = {"host": self._host, "parts": [asdict(part) for part in self.parts]}
            aside.write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")

    def _read(self) -> None:
        try:
            told = json.loads(self.path.read_text(encoding="utf-8"))
            host, self.parts = str(told["host"]), [Part(**part) for part in told["parts"]]
        except (OSError, ValueError, KeyError, TypeError) as error:
            hint = "It tells which batches are under way: restore it, or remove it to give them up."
            raise NotesError(f"{self.path} is damaged.", hint) from error
        if host != self._host:
            raise NotesError(f"{self.path} tells of batches at {host}, not {self._host}.", "Give that --base-url.")
