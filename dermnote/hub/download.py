"""Downloads from the Hugging Face Hub (all files of one commit, checked), its address, and its errors with a remedy."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Literal

from dermnote.errors import BundleError, HubError
from dermnote.hub.manifest import MANIFEST, is_bundle, verify_manifest

Kind = Literal["model", "dataset", "space"]
DEFAULT_ENDPOINT = "https://huggingface.co"
OFFLINE_HINT = "Load it once with a connection; after that it opens offline."
TOKEN_HINT = "Run `hf auth login`, or set HF_TOKEN to a token with read access (to push: write access)."  # words  # noqa: S105  # nosec B105
TIMEOUT = 10.0  # seconds until the Hub counts as unreachable


def pull(
    id_or_folder: str | Path,
    revision: str | None = None,
    local_files_only: bool = False,
    token: str | None = None,
    cache_dir: str | Path | None = None,
    allow_patterns: Sequence[str] | None = None,
    kind: Kind = "model",
    of_bundle: bool = False,
) -> Path:
    """Return a folder with the requested files, checked against their manifest.

    Args:
        id_or_folder: A folder, returned unchanged; or a Hub repository, "org/name".
        revision: Branch, tag or commit; None is "main". All files come from one commit.
        local_files_only: Use the cache only, without network access.
        token: Hub token; None uses the one of `hf auth login` or HF_TOKEN.
        cache_dir: Download cache; None is the Hub client's own.
        allow_patterns: Only matching files, e.g. ["image_encoder/*"], and the manifest if there is one; the
            repository need not be a DermNote bundle. None: a complete bundle.
        kind: Kind of repository. A dataset has no manifest and needs `allow_patterns`.
        of_bundle: With `allow_patterns`: require a bundle that has all matching files.

    Raises:
        HubError: Unknown repository or revision, no access, or neither connection nor cache.
        BundleError: Not a bundle, or its files differ from its manifest.
    """
    folder = Path(id_or_folder)
    if not folder.is_dir():
        name = str(id_or_folder)
        if name.startswith((".", "/", "~")) or name.endswith("/") or "\\" in name or name.count("/") > 1 or not name:
            raise HubError(f"There is no folder {name!r}.", "Name a bundle's folder, or a Hub repository as org/name.")
        with clear_errors(name, revision, local_files_only, kind):
            folder = _download(name, revision, local_files_only, token, cache_dir, allow_patterns, kind, of_bundle)
    if kind == "model" and is_bundle(folder):
        verify_manifest(folder, allow_patterns, missing_allowed=not of_bundle)
    return folder


def _download(
    repo_id: str,
    revision: str | None,
    local_files_only: bool,
    token: str | None,
    cache_dir: str | Path | None,
    allow_patterns: Sequence[str] | None,
    kind: Kind,
    of_bundle: bool,
) -> Path:
    from huggingface_hub import snapshot_download

    snapshot = partial(
        snapshot_download,
        repo_id,
        repo_type=kind,
        local_files_only=local_files_only or not _reachable(repo_id, revision, token, kind),
        token=token,
        cache_dir=cache_dir or os.environ.get("HF_HUB_CACHE") or None,
        ignore_patterns=[".gitattributes"],  # the Hub's own
        endpoint=endpoint(),
    )
    if kind != "model":
        return Path(snapshot(revision=revision, allow_patterns=allow_patterns))
    if allow_patterns is not None and not of_bundle:
        return Path(snapshot(revision=revision, allow_patterns=[*allow_patterns, MANIFEST]))
    # The manifest first, so that no other kind of repository is downloaded.
    folder = Path(snapshot(revision=revision, allow_patterns=[MANIFEST]))
    if not is_bundle(folder):
        raise BundleError(
            f"{repo_id} is not a DermNote bundle: it has no {MANIFEST}.",
            "Bundles have the tag 'dermnote' on the Hub.",
        )
    patterns = None if allow_patterns is None else [*allow_patterns, MANIFEST]
    return Path(snapshot(revision=folder.name, allow_patterns=patterns))  # the folder is named after the commit


def _reachable(repo_id: str, revision: str | None, token: str | None, kind: Kind) -> bool:
    """Check whether the Hub answers; warn if not. Its client would retry each file for half a minute.

    Raises:
        Exception: The client's own, if the Hub answers and refuses.
    """
    from huggingface_hub import HfApi, errors

    try:
        HfApi(endpoint=endpoint(), token=token).repo_info(repo_id, revision=revision, repo_type=kind, timeout=TIMEOUT)
    except errors.OfflineModeIsEnabled:
        return False
    except errors.HfHubHTTPError as error:
        if error.response.status_code < 500:
            raise
    except (errors.HTTPError, OSError):  # type: ignore[attr-defined]  # of httpx or httpx2, by version
        pass
    else:
        return True
    warnings.warn(f"The Hub ({endpoint()}) does not answer: using the cached copy of {repo_id}.", stacklevel=2)
    return False


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
