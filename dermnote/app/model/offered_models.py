"""Which models a visitor may load beside the first: any on the owner's own machine, else those the owner offers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dermnote.errors import ConfigError

LOOPBACK = ("", "127.0.0.1", "localhost", "::1")
LONGEST = 400  # letters of a name


@dataclass(frozen=True)
class Offer:
    """What may be loaded.

    Attributes:
        names: As DERMNOTE_MODELS names them; they are listed.
        any_name: Whether any other may be typed, a folder too: only where nobody but the owner reaches the app, for
            whoever names a model fills memory and disk, reads folders, and loads with the owner's Hub token.
    """

    names: tuple[str, ...] = ()
    any_name: bool = False

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Offer:
        """From the environment: DERMNOTE_MODELS, and SPACE_ID or GRADIO_SERVER_NAME, which tell who reaches the app."""
        names = (name.strip() for name in environment.get("DERMNOTE_MODELS", "").split(","))
        own = not environment.get("SPACE_ID") and environment.get("GRADIO_SERVER_NAME", "").strip() in LOOPBACK
        return cls(tuple(dict.fromkeys(filter(None, names))), own)

    def __bool__(self) -> bool:
        return self.any_name or bool(self.names)

    def check(self, typed: str | None) -> str:
        """The name as it is to be loaded.

        Raises:
            ConfigError: There is none, or it is not offered.
        """
        name = (typed or "").strip()
        if not name:
            raise ConfigError("No model is named yet.", "Type one." if self.any_name else "Choose one.")
        if len(name) > LONGEST or not (self.any_name or name in self.names):
            raise ConfigError(f"'{name[:80]}' is not offered here.", "Choose one of the list.")
        return name
