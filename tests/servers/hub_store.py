"""Data of the test Hub: repositories with branches and commits, large files, tokens, scripted errors."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

LARGE = 10_000_000
ATTRIBUTES = b"*.safetensors filter=lfs diff=lfs merge=lfs -text\n"


class RefusalError(Exception):
    """An error response: status, the Hub's error code, message."""

    def __init__(self, status: int, code: str = "", message: str = "", body: dict[str, Any] | None = None) -> None:
        super().__init__(message or code)
        self.status, self.code, self.message, self.body = status, code, message or code, body


@dataclass(frozen=True)
class Blob:
    data: bytes
    lfs: bool

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.data).hexdigest()

    @property
    def oid(self) -> str:
        """The git blob id (of the pointer, for a large file)."""
        data = f"oid sha256:{self.sha256} size {len(self.data)}".encode() if self.lfs else self.data
        return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()

    @property
    def etag(self) -> str:
        return self.sha256 if self.lfs else self.oid


@dataclass(frozen=True)
class Commit:
    sha: str
    files: dict[str, Blob]
    parent: str | None
    title: str
    date: str


@dataclass
class Repo:
    private: bool
    commits: dict[str, Commit] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)  # of a Space

    def commit(self, branch: str, files: dict[str, Blob], title: str) -> Commit:
        parent = self.branches.get(branch)
        listing = json.dumps([parent, title, len(self.commits), sorted((p, b.etag) for p, b in files.items())])
        sha = hashlib.sha1(listing.encode()).hexdigest()
        date = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
        self.commits[sha] = Commit(sha, files, parent, title, date)
        self.branches[branch] = sha
        return self.commits[sha]

    def resolve(self, revision: str) -> Commit:
        sha = self.branches.get(revision) or revision
        if sha not in self.commits:
            raise RefusalError(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        return self.commits[sha]


@dataclass
class Store:
    """State of the server. Tokens: token -> (name, may write, namespaces)."""

    repos: dict[tuple[str, str], Repo] = field(default_factory=dict)
    large: dict[str, bytes] = field(default_factory=dict)
    tokens: dict[str, tuple[str, bool, tuple[str, ...]]] = field(default_factory=dict)
    log: list[tuple[str, str]] = field(default_factory=list)
    leaks: list[str] = field(default_factory=list)  # requests to the large-file host that carried a token
    errors: list[tuple[str, int]] = field(default_factory=list)  # (pattern of path, status), each for one request

    def clear(self) -> None:
        """Forget everything but the tokens."""
        for state in (self.repos, self.large, self.log, self.leaks, self.errors):
            state.clear()

    def next_error(self, path: str) -> int | None:
        for at, (pattern, status) in enumerate(self.errors):
            if re.search(pattern, path):
                del self.errors[at]
                return status
        return None

    def user(self, token: str | None) -> tuple[str, bool, tuple[str, ...]] | None:
        if token is None:
            return None
        if token not in self.tokens:
            raise RefusalError(401, message="Invalid credentials in Authorization header")
        return self.tokens[token]

    def repo(self, kind: str, name: str, token: str | None, *, write: bool = False) -> Repo:
        """Return a repository that this token can read (or write); any other appears missing."""
        found, user = self.repos.get((kind, name)), self.user(token)
        namespaces = user[2] if user else ()
        if found is None or (found.private and name.split("/")[0] not in namespaces):
            raise RefusalError(404 if user else 401, "RepoNotFound", "Repository not found")
        if write:
            self.may_write(name.split("/")[0], token)
        return found

    def may_write(self, namespace: str, token: str | None) -> None:
        user = self.user(token)
        if user is None:
            raise RefusalError(401, message="Invalid username or password.")
        if not user[1] or namespace not in user[2]:
            raise RefusalError(403, message=f"You don't have the rights to change repositories of {namespace}")

    def create(self, kind: str, name: str, private: bool, token: str | None) -> None:
        self.may_write(name.split("/")[0], token)
        if (kind, name) in self.repos:
            raise RefusalError(409, message="You already created this repo")
        repo = self.repos[kind, name] = Repo(private)
        repo.commit("main", {".gitattributes": Blob(ATTRIBUTES, lfs=False)}, "initial commit")

    def apply(self, repo: Repo, branch: str, lines: list[dict[str, Any]]) -> Commit:
        """Apply the operations of a commit request (NDJSON lines), all or none."""
        if branch not in repo.branches:
            raise RefusalError(404, "RevisionNotFound", f"Invalid rev id: {branch}")
        header = next(line["value"] for line in lines if line["key"] == "header")
        if header.get("parentCommit") not in (None, repo.branches[branch]):
            raise RefusalError(412, message="A commit has happened since. Please refresh and try again.")
        files = dict(repo.resolve(branch).files)
        for line in lines:
            value, path = line["value"], line["value"].get("path", "")
            if line["key"] == "file":
                files[path] = Blob(base64.b64decode(value["content"]), lfs=False)
            elif line["key"] == "lfsFile":
                if value["oid"] not in self.large:
                    raise RefusalError(400, message=f"LFS object {value['oid']} was not uploaded")
                files[path] = Blob(self.large[value["oid"]], lfs=True)
            elif line["key"] == "deletedFile":
                files.pop(path)
            elif line["key"] == "deletedFolder":
                files = {p: b for p, b in files.items() if not p.startswith(path.rstrip("/") + "/")}
        return repo.commit(branch, files, header["summary"])
