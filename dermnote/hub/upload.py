"""Uploads of bundles, datasets and Spaces to the Hugging Face Hub, each as one commit."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dermnote.errors import HubError
from dermnote.hub.download import TOKEN_HINT, Kind, clear_errors, endpoint, page_of
from dermnote.hub.manifest import verify_manifest


@dataclass(frozen=True)
class PushResult:
    """Result of a push or a dry run.

    Attributes:
        repo_id: Repository, "org/name".
        files: Path and size in bytes of every file.
        url: Web page of the commit (dry run: of the repository).
        commit: The commit's sha; None for a dry run.
    """

    repo_id: str
    files: tuple[tuple[str, int], ...]
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
    """Check a bundle against its manifest and publish it; arguments as in `push_folder`.

    Raises:
        BundleError: The folder is not a complete, unchanged bundle.
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
    """Publish a folder as one commit; the repository then holds exactly its files. Unchanged files are not sent again.

    Args:
        folder: Folder to publish.
        repo_id: "org/name"; created if missing.
        kind: Kind of repository.
        private: Create a private repository; an existing public one is refused.
        dry_run: Check only; nothing is sent.
        token: Hub token; None uses the one of `hf auth login` or HF_TOKEN.
        revision: Branch to commit to, created if missing; None is "main".
        variables: Environment variables of a Space.

    Raises:
        HubError: No token, no access, a card the Hub refuses, no connection.
    """
    files = _files_to_push(Path(folder))
    page = page_of(repo_id, kind)
    if dry_run:
        return PushResult(repo_id, files, page, None)

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
        commit = api.upload_folder(
            repo_id=repo_id,
            repo_type=kind,
            folder_path=folder,
            revision=revision,
            commit_message=f"Publish a DermNote {'bundle' if kind == 'model' else kind}",
            delete_patterns="*",  # leftovers of an earlier bundle would fail the manifest check
        )
    return PushResult(repo_id, files, str(commit.commit_url), str(commit.oid))


def _files_to_push(folder: Path) -> tuple[tuple[str, int], ...]:
    """Return path and size of every file, without git's and the client's own."""
    files = {path.relative_to(folder): path for path in folder.rglob("*") if path.is_file()}
    kept = {name: path for name, path in files.items() if name.parts[0] not in (".git", ".cache")}
    return tuple(sorted((name.as_posix(), path.stat().st_size) for name, path in kept.items()))
