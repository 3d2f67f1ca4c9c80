"""Who may come in: nobody is asked for a password unless whoever starts the app sets one."""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import MutableMapping
from hmac import compare_digest
from pathlib import Path

from dermnote.errors import ConfigError

ONE, SEVERAL = "DERMNOTE_AUTH", "DERMNOTE_AUTH_FILE"
SHORTEST = 8  # characters of a password
PENALTY = 0.5  # seconds a wrong password takes, one after another


class Accounts:
    """Names and passwords, compared in a time that does not depend on how much of them is right; never printed.

    Args:
        passwords: By name.
    """

    def __init__(self, passwords: dict[str, str]) -> None:
        self._passwords = {name.encode(): password.encode() for name, password in passwords.items()}
        self._one_at_a_time = asyncio.Lock()

    async def admit(self, name: str, password: str) -> bool:
        """Whether they belong together; a wrong guess waits for those before it."""
        right = False
        for known, secret in self._passwords.items():  # all of them: stopping early would tell which name exists
            right |= compare_digest(known, name.encode()) & compare_digest(secret, password.encode())
        if not right:
            async with self._one_at_a_time:
                await asyncio.sleep(PENALTY)
        return right

    async def name_in(self, header: str) -> str | None:
        """The name in an `Authorization: Basic` header whose password is right."""
        kind, _, encoded = header.partition(" ")
        try:
            name, _, password = base64.b64decode(encoded, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return None
        return name if kind.lower() == "basic" and await self.admit(name, password) else None


def take_accounts(environment: MutableMapping[str, str]) -> Accounts | None:
    """Reads DERMNOTE_AUTH (one name:password) or DERMNOTE_AUTH_FILE (one a line); None where neither is set.

    The first is taken out of the environment: child processes and crash reports need not have it.

    Raises:
        ConfigError: What is set cannot be used; it says which line, never what stands there.
    """
    one, file = environment.pop(ONE, ""), environment.get(SEVERAL, "")
    if one and file:
        raise ConfigError(f"{ONE} and {SEVERAL} are both set.", "Set one of them.")
    if not (one or file):
        return None
    lines = _lines(file) if file else [one]
    return Accounts(dict(_account(line, f"{SEVERAL}, line {i}" if file else ONE) for i, line in enumerate(lines, 1)))


def _lines(file: str) -> list[str]:
    try:
        lines = Path(file).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"{SEVERAL} names a file that cannot be read.", "It holds one name:password a line."
        ) from error
    if not lines:
        raise ConfigError(f"{SEVERAL} names an empty file.", "It holds one name:password a line.")
    return lines


def _account(line: str, where: str) -> tuple[str, str]:
    name, _, password = line.partition(":")
    if not name.strip() or name != name.strip():
        raise ConfigError(f"{where} holds no name.", "It is written name:password.")
    if len(password) < SHORTEST:
        raise ConfigError(
            f"{where} holds no password of at least {SHORTEST} characters.", "It is written name:password."
        )
    return name, password
