"""Bundles, datasets and Spaces to the Hugging Face Hub: each a commit that holds exactly the folder's files."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dermnote.errors import HubError
from dermnote.hub.hub_errors import TOKEN_HINT, Kind, clear_errors, endpoint, page_of
from dermnote.hub.manifest import verify_manifest


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
    return push_folder(folder, repo_id, "model", private, dry_run, token, revision)


def push_folder(
    folder: str | Path,
    repo_id: str,
    kind: Kind,
    private: bool = False,
    dry_run: bool = False,
    token: str | None = None,
    revision: str | None = None,
    variables: Mapping[str, str] | None = None,
) -> PushResult:
    """Publishes a folder as one commit; the repository then holds exactly its files. Unchanged ones are not sent again.

    Args:
        folder: What is published.
        repo_id: "org/name"; made if it does not exist.
        kind: Of the repository.
        private: As in `push`.
        dry_run: As in `push`.
        token: As in `push`.
        revision: As in `push`.
        variables: Of a Space: what its app finds in its environment.

    Raises:
        HubError: As in `push`.
    """
    files = _files_to_push(Path(folder))
    total = sum(size for _, size in files)
    page = page_of(repo_id, kind)
    if dry_run:
        return PushResult(repo_id, files, total, page, None)

    from huggingface_hub import HfApi, get_token

    token = token or get_token()
    if not token:
        raise HubError(f"No Hub token to push {repo_id} with.", TOKEN_HINT)
    api = HfApi(endpoint=endpoint(), token=token, library_name="dermnote")
    with clear_errors(repo_id, revision, kind=kind), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="It seems that you are about to commit a data file")  # the case table
        sdk = "gradio" if kind == "space" else None
        repo_id = api.create_repo(
            repo_id, private=private or None, exist_ok=True, repo_type=kind, space_sdk=sdk
        ).repo_id
        if private and not api.repo_info(repo_id, repo_type=kind).private:
            raise HubError(
                f"{repo_id} exists and is public; nothing was sent.",
                f"Make it private at {page}/settings, or choose another name.",
            )
        if revision is not None:
            api.create_branch(repo_id, branch=revision, exist_ok=True, repo_type=kind)
        for name, value in (variables or {}).items():
            api.add_space_variable(repo_id, name, value)
        done = api.upload_folder(
            repo_id=repo_id,
            repo_type=kind,
            folder_path=folder,
            revision=revision,
            commit_message=f"Publish a DermNote {'bundle' if kind == 'model' else kind}",
            delete_patterns="*",  # what an earlier bundle had and this one has not would fail the manifest
        )
    return PushResult(repo_id, files, total, str(done.commit_url), str(done.oid))


def _files_to_push(folder: Path) -> tuple[tuple[str, int], ...]:
    """Path and size of every file but git's and the client's own, which the client does not send."""
    files = {path.relative_to(folder): path for path in folder.rglob("*") if path.is_file()}
    kept = {name: path for name, path in files.items() if name.parts[0] not in (".git", ".cache")}
    return tuple(sorted((name.as_posix(), path.stat().st_size) for name, path in kept.items()))
