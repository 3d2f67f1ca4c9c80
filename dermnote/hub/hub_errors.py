"""Hub address, and conversion of its client's exceptions to errors with a remedy."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from dermnote.errors import HubError

Kind = Literal["model", "dataset", "space"]
DEFAULT_ENDPOINT = "https://huggingface.co"
OFFLINE_HINT = "Load it once with a connection; after that it opens offline."
TOKEN_HINT = "Run `hf auth login`, or set HF_TOKEN to a token with read access (to push: write access)."  # words  # noqa: S105  # nosec B105


def endpoint() -> str:
    """Return the Hub's address; read at each call, as the client reads HF_ENDPOINT only once, on import."""
    return (os.environ.get("HF_ENDPOINT") or DEFAULT_ENDPOINT).rstrip("/")


def page_of(repo_id: str, kind: Kind) -> str:
    """Return the web page of a repository."""
    return f"{endpoint()}/{'' if kind == 'model' else kind + 's/'}{repo_id}"


@contextmanager
def clear_errors(
    repo_id: str, revision: str | None, local_files_only: bool = False, kind: Kind = "model"
) -> Iterator[None]:
    """Convert exceptions of the Hub's client to HubError with a remedy."""
    from huggingface_hub import errors

    page = page_of(repo_id, kind)
    where = f"{repo_id}@{revision}" if revision else repo_id
    try:
        yield
    except errors.GatedRepoError as error:
        raise HubError(f"{repo_id} requires an access request.", f"Request access at {page}.") from error
    except errors.RepositoryNotFoundError as error:
        raise HubError(
            f"{repo_id} is not on the Hub ({endpoint()}), or is private.",
            "Check the name; a private repository needs `hf auth login`, or HF_TOKEN.",
        ) from error
    except errors.RevisionNotFoundError as error:
        raise HubError(f"{repo_id} has no revision '{revision}'.", f"See {page}/commits/main.") from error
    except errors.HFValidationError as error:
        raise HubError(f"'{repo_id}' is neither a folder nor a Hub repository.", "Write org/name.") from error
    except (errors.LocalEntryNotFoundError, errors.OfflineModeIsEnabled) as error:
        raise _not_cached(where, local_files_only) from error
    except errors.HfHubHTTPError as error:
        raise _refusal(where, error.response.status_code, error.server_message or "") from error
    except (errors.HTTPError, OSError) as error:  # type: ignore[attr-defined]  # of httpx or httpx2, by version
        raise HubError(f"The transfer of {where} was interrupted ({type(error).__name__}).", retryable=True) from error
    except ValueError as error:  # the Hub's check of the card's front matter
        raise HubError(f"The Hub refused {where}: {' '.join(str(error).split())[:300]}") from error


def _not_cached(where: str, local_files_only: bool) -> HubError:
    from huggingface_hub.constants import HF_HUB_OFFLINE

    if local_files_only or HF_HUB_OFFLINE:
        return HubError(f"{where} is not completely in the local cache, and downloads are disabled.", OFFLINE_HINT)
    return HubError(
        f"The Hub ({endpoint()}) cannot be reached, and {where} is not completely in the local cache.",
        "Check the connection and try again. " + OFFLINE_HINT,
        retryable=True,
    )


def _refusal(where: str, status: int, message: str) -> HubError:
    if status in (401, 403):
        return HubError(f"The Hub refused access to {where} (status {status}).", TOKEN_HINT)
    detail = f": {' '.join(message.split())[:200]}" if message else ""
    temporary = status == 429 or status >= 500
    hint = "Try again later." if temporary else ""
    return HubError(f"The Hub answered {status} for {where}{detail}.", hint, retryable=temporary)
