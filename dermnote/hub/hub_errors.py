"""The Hub's address, and what its client raises in words a user can act on."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from dermnote.errors import HubError

Kind = Literal["model", "dataset", "space"]
DEFAULT_ENDPOINT = "https://huggingface.co"
OFFLINE_HINT = "Load it once with a connection; after that it opens offline."
TOKEN_HINT = "Run `hf auth login`, or set HF_TOKEN to a token that may read it (to push: write)."  # words  # noqa: S105  # nosec B105


def endpoint() -> str:
    """The Hub's address, read at each call: the client itself reads HF_ENDPOINT only once, when it is imported."""
    return (os.environ.get("HF_ENDPOINT") or DEFAULT_ENDPOINT).rstrip("/")


def page_of(repo_id: str, kind: Kind) -> str:
    """Where a repository is to be seen."""
    return f"{endpoint()}/{'' if kind == 'model' else kind + 's/'}{repo_id}"


@contextmanager
def clear_errors(
    repo_id: str, revision: str | None, local_files_only: bool = False, kind: Kind = "model"
) -> Iterator[None]:
    """Turns whatever the Hub's client raises into one HubError that says what to do."""
    from huggingface_hub import errors

    page = page_of(repo_id, kind)
    where = f"{repo_id}@{revision}" if revision else repo_id
    try:
        yield
    except errors.GatedRepoError as error:
        raise HubError(f"Access to {repo_id} has to be asked for.", f"Do so at {page}.") from error
    except errors.RepositoryNotFoundError as error:
        raise HubError(
            f"{repo_id} is not on the Hub ({endpoint()}), or is private.",
            "Check the name; a private repository needs `hf auth login`, or HF_TOKEN.",
        ) from error
    except errors.RevisionNotFoundError as error:
        raise HubError(
            f"{repo_id} has no revision '{revision}'.", f"See {page}/commits/main for what there is."
        ) from error
    except errors.HFValidationError as error:
        raise HubError(f"'{repo_id}' is neither a folder nor a Hub repository.", "Write org/name.") from error
    except (errors.LocalEntryNotFoundError, errors.OfflineModeIsEnabled) as error:
        raise _not_cached(where, local_files_only) from error
    except errors.HfHubHTTPError as error:
        raise _refused(where, error.response.status_code, error.server_message or "") from error
    except (errors.HTTPError, OSError) as error:  # type: ignore[attr-defined]  # of httpx or httpx2, by version
        raise HubError(f"The transfer of {where} broke off ({type(error).__name__}).", retryable=True) from error
    except ValueError as error:  # the Hub's check of the card's front matter
        raise HubError(f"The Hub refused {where}: {' '.join(str(error).split())[:300]}") from error


def _not_cached(where: str, local_files_only: bool) -> HubError:
    from huggingface_hub.constants import HF_HUB_OFFLINE

    if local_files_only or HF_HUB_OFFLINE:
        return HubError(f"{where} is not wholly in the local cache, and downloads are switched off.", OFFLINE_HINT)
    return HubError(
        f"The Hub ({endpoint()}) cannot be reached, and {where} is not wholly in the local cache.",
        "Check the connection and try again. " + OFFLINE_HINT,
        retryable=True,
    )


def _refused(where: str, status: int, words: str) -> HubError:
    if status in (401, 403):
        return HubError(f"The Hub refused access to {where} (status {status}).", TOKEN_HINT)
    detail = f": {' '.join(words.split())[:200]}" if words else ""
    return HubError(
        f"The Hub answered {status} for {where}{detail}.",
        "Try again later." if status == 429 or status >= 500 else "",
        retryable=status == 429 or status >= 500,
    )
