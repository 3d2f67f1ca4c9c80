"""Bundles to and from the Hugging Face Hub, and datasets from it: all of one commit or nothing.

The only file that knows the Hub's client.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dermnote.errors import BundleError, HubError
from dermnote.manifest import MANIFEST, REFETCH, is_bundle, read_manifest, verify_manifest, write_manifest

__all__ = ["REFETCH", "PushResult", "pull", "push", "verify_manifest", "write_manifest"]

Kind = Literal["model", "dataset"]
DEFAULT_ENDPOINT = "https://huggingface.co"
TIMEOUT = 10.0  # seconds to wait for the Hub's first answer
OFFLINE_HINT = "Load it once with a connection; after that it opens offline."
TOKEN_HINT = "Run `hf auth login`, or set HF_TOKEN to a token that may read it (to push: write)."  # noqa: S105 (words)


@dataclass(frozen=True)
class PushResult:
    """What a push did, or (dry run) would do.

    Attributes:
        repo_id: Repository, "org/name".
        files: Path and size in bytes of every file of the bundle.
        total_bytes: Their sum.
        url: Where the commit (dry run: the repository) is to be seen.
        commit: The commit's sha; None for a dry run.
    """

    repo_id: str
    files: tuple[tuple[str, int], ...]
    total_bytes: int
    url: str
    commit: str | None


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
    """A folder that holds the files asked for, checked against their manifest.

    Args:
        id_or_folder: A folder, returned as it is; or a Hub repository, "org/name".
        revision: Branch, tag or commit; None is "main". All files come from the one commit it stands for at the start.
        local_files_only: Use the cache alone, send nothing.
        token: Hub token; None uses the one of `hf auth login` or HF_TOKEN.
        cache_dir: Where downloads are kept; None is the Hub client's own place.
        allow_patterns: Only files that match, e.g. ["image_encoder/*"], with the manifest if there is one. The
            repository then need not be a DermNote bundle. None: a whole bundle.
        kind: Of the repository. A dataset has no manifest and needs `allow_patterns`.
        of_bundle: With `allow_patterns`: the repository must be a bundle, and all that matches must be there.

    Raises:
        HubError: Unknown repository or revision, no access, no connection and nothing cached.
        BundleError: Not a bundle, or its files differ from its manifest.
    """
    folder = Path(id_or_folder)
    if not folder.is_dir():
        _refuse_missing_folder(str(id_or_folder))
        whole = of_bundle or (allow_patterns is None and kind == "model")
        folder = _download(str(id_or_folder), revision, local_files_only, token, cache_dir, allow_patterns, kind, whole)
    if kind == "model" and is_bundle(folder):
        verify_manifest(folder, allow_patterns, missing_allowed=not of_bundle)
    return folder


def push(
    folder: str | Path,
    repo_id: str,
    private: bool = False,
    dry_run: bool = False,
    token: str | None = None,
    revision: str | None = None,
) -> PushResult:
    """Publishes a bundle as one commit; the repository then holds exactly the bundle's files.

    Args:
        folder: The bundle; checked against its manifest first.
        repo_id: "org/name"; made if it does not exist.
        private: Only people with access see it. A repository that is public already is then refused.
        dry_run: Check, and say what would be sent; nothing is sent.
        token: Hub token; None uses the one of `hf auth login` or HF_TOKEN.
        revision: Branch to commit to, made if it does not exist; None is "main".

    Raises:
        BundleError: The folder is not a whole, unchanged bundle.
        HubError: No token, no access, a card the Hub refuses, no connection.
    """
    verify_manifest(folder)
    files = _files_to_push(Path(folder))
    total = sum(size for _, size in files)
    if dry_run:
        return PushResult(repo_id, files, total, f"{_endpoint()}/{repo_id}", None)

    from huggingface_hub import HfApi, get_token

    token = token or get_token()
    if not token:
        raise HubError(f"No Hub token to push {repo_id} with.", TOKEN_HINT)
    api = HfApi(endpoint=_endpoint(), token=token, library_name="dermnote")
    with _clear_errors(repo_id, revision), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="It seems that you are about to commit a data file")  # the case table
        repo_id = api.create_repo(repo_id, private=private or None, exist_ok=True).repo_id
        if private and not api.model_info(repo_id).private:
            raise HubError(
                f"{repo_id} exists and is public; nothing was sent.",
                f"Make it private at {_endpoint()}/{repo_id}/settings, or choose another name.",
            )
        if revision is not None:
            api.create_branch(repo_id, branch=revision, exist_ok=True)
        done = api.upload_folder(
            repo_id=repo_id,
            folder_path=folder,
            revision=revision,
            commit_message="Publish a DermNote bundle",
            delete_patterns="*",  # what an earlier bundle had and this one has not would fail the manifest
        )
    return PushResult(repo_id, files, total, str(done.commit_url), str(done.oid))


def _endpoint() -> str:
    """The Hub's address, read at each call: the client itself reads HF_ENDPOINT only once, when it is imported."""
    return (os.environ.get("HF_ENDPOINT") or DEFAULT_ENDPOINT).rstrip("/")


def _files_to_push(folder: Path) -> tuple[tuple[str, int], ...]:
    files = [(name, size) for name, (_, size) in read_manifest(folder).items()]
    return tuple(sorted([*files, (MANIFEST, (folder / MANIFEST).stat().st_size)]))


def _refuse_missing_folder(name: str) -> None:
    """What can only be meant as a folder is not asked of the Hub."""
    if name.startswith((".", "/", "~")) or name.endswith("/") or "\\" in name or name.count("/") > 1 or not name:
        raise HubError(f"There is no folder {name!r}.", "Name a bundle's folder, or a Hub repository as org/name.")


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

    cached_only = local_files_only

    def snapshot(revision: str | None, patterns: list[str] | None) -> Path:
        found = snapshot_download(
            repo_id,
            repo_type=kind,
            revision=revision,
            local_files_only=cached_only,
            token=token,
            cache_dir=cache_dir or os.environ.get("HF_HUB_CACHE") or None,
            allow_patterns=patterns,
            ignore_patterns=[".gitattributes"],  # the Hub's own
            endpoint=_endpoint(),
        )
        return Path(found)

    with _clear_errors(repo_id, revision, local_files_only, kind):
        cached_only = local_files_only or not _reachable(repo_id, revision, token, kind)
        if not of_bundle:
            return snapshot(revision, [*(allow_patterns or ()), *([MANIFEST] if kind == "model" else [])])
        folder = snapshot(revision, [MANIFEST])  # first alone: no other kind of repository is downloaded by mistake
        if not is_bundle(folder):
            raise BundleError(
                f"{repo_id} is not a DermNote bundle: it has no {MANIFEST}.",
                "Repositories that are one have the tag 'dermnote' on the Hub.",
            )
        # The folder bears the commit's name: all files come from that one.
        return snapshot(folder.name, None if allow_patterns is None else [*allow_patterns, MANIFEST])


def _reachable(repo_id: str, revision: str | None, token: str | None, kind: Kind) -> bool:
    """Whether the Hub answers; if not, a warning. Its client would try each file several times for half a minute.

    Raises:
        What the client raises where the Hub answers and refuses.
    """
    from huggingface_hub import HfApi, errors

    try:
        HfApi(endpoint=_endpoint(), token=token).repo_info(repo_id, revision=revision, repo_type=kind, timeout=TIMEOUT)
    except errors.OfflineModeIsEnabled:
        return False
    except errors.HfHubHTTPError as error:
        if error.response.status_code < 500:
            raise
    except (errors.HTTPError, OSError):  # type: ignore[attr-defined]  # of httpx or httpx2, by version
        pass
    else:
        return True
    warnings.warn(f"The Hub ({_endpoint()}) does not answer: {repo_id} is taken from the cache.", stacklevel=2)
    return False


@contextmanager
def _clear_errors(
    repo_id: str, revision: str | None, local_files_only: bool = False, kind: Kind = "model"
) -> Iterator[None]:
    """Turns whatever the Hub's client raises into one HubError that says what to do."""
    from huggingface_hub import errors

    page = f"{_endpoint()}/{'datasets/' if kind == 'dataset' else ''}{repo_id}"
    where = f"{repo_id}@{revision}" if revision else repo_id
    try:
        yield
    except errors.GatedRepoError as error:
        raise HubError(f"Access to {repo_id} has to be asked for.", f"Do so at {page}.") from error
    except errors.RepositoryNotFoundError as error:
        raise HubError(
            f"{repo_id} is not on the Hub ({_endpoint()}), or is private.",
            "Check the name; for a private repository run `hf auth login`, set HF_TOKEN, or pass token=.",
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
        f"The Hub ({_endpoint()}) cannot be reached, and {where} is not wholly in the local cache.",
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
