"""What the test Hub answers: one function a kind of request, found by method and path in `ROUTES`."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import yaml
from starlette.responses import JSONResponse, Response

from tests.hub_store import LARGE, Blob, Commit, RefusalError, Repo, Store

ID = r"(?P<name>[^/]+/[^/]+)"
KIND = r"/api/(?P<kind>models|datasets|spaces)/" + ID
PAGE = r"/(?:(?P<kind>datasets|spaces)/)?" + ID


@dataclass
class Call:
    """One request: what the URL said, who asks, and the body."""

    store: Store
    kind: str
    name: str
    revision: str
    path: str
    token: str | None
    body: bytes
    host: str

    @property
    def json(self) -> Any:
        return json.loads(self.body or b"{}")

    def repo(self, write: bool = False) -> Repo:
        return self.store.repo(self.kind, self.name, self.token, write=write)


def create(call: Call) -> Response:
    wanted = call.json
    kind = wanted.get("type", "model") + "s"
    who = call.store.who(call.token)
    name = f"{wanted.get('organization') or (who[0] if who else '')}/{wanted['name']}"
    url = f"http://{call.host}/{'' if kind == 'models' else kind + '/'}{name}"
    private = wanted.get("visibility") == "private" or wanted.get("private") is True
    try:
        call.store.create(kind, name, private, call.token)
    except RefusalError as refusal:
        refusal.body = {"error": refusal.words, "url": url}
        raise
    return JSONResponse({"url": url, "name": name})


def validate_yaml(call: Call) -> Response:
    """The few checks of the Hub's that a model card can fail."""
    front = re.match(r"---\n(.*?)\n---\n", call.json["content"], re.S)
    try:
        data = yaml.safe_load(front[1]) if front else {}
        wrong = _wrong_metadata(data) if isinstance(data, dict) else ["front matter is not a mapping"]
    except yaml.YAMLError as error:
        wrong = [f"invalid YAML: {error}"]
    except (KeyError, TypeError, AssertionError):
        wrong = ['"model-index" is not valid']
    body = {"errors": [{"message": words} for words in wrong], "warnings": []}
    return JSONResponse(body, 400 if wrong else 200)


def _wrong_metadata(data: dict[str, Any]) -> list[str]:
    words = [key for key in ("license", "pipeline_tag", "library_name") if not isinstance(data.get(key, ""), str)]
    lists = [key for key in ("tags", "datasets") if not all(isinstance(each, str) for each in data.get(key, []))]
    for result in [result for model in data.get("model-index", []) for result in model["results"]]:
        assert result["task"]["type"] and result["dataset"]["type"] and result["dataset"]["name"]
        assert all("type" in metric and metric["value"] is not None for metric in result["metrics"])
    return [f'"{key}" must be a string' for key in words] + [f'"{key}" must be a list of strings' for key in lists]


def preupload(call: Call) -> Response:
    files = call.repo(write=True).resolve(call.revision).files
    answer = []
    for item in call.json["files"]:
        large = item["size"] >= LARGE or b"\0" in base64.b64decode(item["sample"])
        there = files.get(item["path"])
        answer.append(
            {
                "path": item["path"],
                "uploadMode": "lfs" if large else "regular",
                "shouldIgnore": False,
                **({"oid": there.etag} if there else {}),
            }
        )
    return JSONResponse({"files": answer})


def lfs_batch(call: Call) -> Response:
    call.repo(write=True)
    objects = []
    for item in call.json["objects"]:
        actions = {
            "upload": {"href": f"http://{call.host}/large/{item['oid']}"},
            "verify": {"href": f"http://{call.host}/verify"},
        }
        objects.append({**item, **({} if item["oid"] in call.store.large else {"actions": actions})})
    return JSONResponse({"transfer": "basic", "objects": objects})


def put_large(call: Call) -> Response:
    if hashlib.sha256(call.body).hexdigest() != call.path:
        raise RefusalError(400, words="The bytes are not those of the oid")
    call.store.large[call.path] = call.body
    return Response()


def get_large(call: Call) -> Response:
    return Response(call.store.large[call.path], media_type="application/octet-stream")


def verify(call: Call) -> Response:
    wanted = call.json
    whole = len(call.store.large.get(wanted["oid"], b"")) == wanted["size"]
    return JSONResponse({}, 200 if whole else 404)


def commit(call: Call) -> Response:
    repo = call.repo(write=True)
    done = call.store.apply(repo, call.revision, [json.loads(line) for line in call.body.splitlines() if line.strip()])
    return JSONResponse(
        {"success": True, "commitOid": done.sha, "commitUrl": f"http://{call.host}/{call.name}/commit/{done.sha}"}
    )


def info(call: Call) -> Response:
    repo = call.repo()
    at = repo.resolve(call.revision or "main")
    siblings = [{"rfilename": path} for path in sorted(at.files)]
    return JSONResponse(
        {
            "id": call.name,
            "sha": at.sha,
            "private": repo.private,
            "siblings": siblings,
            "tags": [],
            "lastModified": at.date,
        }
    )


def tree(call: Call) -> Response:
    def entry(path: str, blob: Blob) -> dict[str, Any]:
        lfs = {"lfs": {"oid": blob.sha256, "size": len(blob.data), "pointerSize": 130}} if blob.lfs else {}
        return {"type": "file", "path": path, "size": len(blob.data), "oid": blob.oid, **lfs}

    return JSONResponse([entry(*item) for item in sorted(call.repo().resolve(call.revision).files.items())])


def refs(call: Call) -> Response:
    repo = call.repo()
    named = {
        what: [{"name": n, "ref": f"refs/{ref}/{n}", "targetCommit": sha} for n, sha in at.items()]
        for what, ref, at in (("branches", "heads", repo.branches), ("tags", "tags", repo.tags))
    }
    return JSONResponse({**named, "converts": []})


def commits(call: Call) -> Response:
    repo = call.repo()
    answer: list[dict[str, Any]] = []
    at: Commit | None = repo.resolve(call.revision)
    while at is not None:
        answer.append({"id": at.sha, "title": at.title, "message": "", "date": at.date, "authors": []})
        at = repo.commits[at.parent] if at.parent else None
    return JSONResponse(answer)


def branch(call: Call) -> Response:
    repo = call.repo(write=True)
    if call.revision in repo.branches:
        raise RefusalError(409, words="Reference already exists")
    repo.branches[call.revision] = repo.resolve(call.json.get("startingPoint", "main")).sha
    return JSONResponse({})


def tag(call: Call) -> Response:
    repo = call.repo(write=True)
    if call.json["tag"] in repo.tags:
        raise RefusalError(409, words="Tag already exists")
    repo.tags[call.json["tag"]] = repo.resolve(call.revision).sha
    return JSONResponse({})


def resolve(call: Call) -> Response:
    at = call.repo().resolve(call.revision)
    blob = at.files.get(call.path)
    headers = {"X-Repo-Commit": at.sha}
    if blob is None:
        raise RefusalError(404, "EntryNotFound", "Entry not found")
    if not blob.lfs:
        return Response(blob.data, headers={**headers, "ETag": f'"{blob.etag}"'}, media_type="application/octet-stream")
    elsewhere = call.host.replace("127.0.0.1", "localhost")
    linked = {"X-Linked-ETag": f'"{blob.sha256}"', "X-Linked-Size": str(len(blob.data))}
    return Response(None, 302, {**headers, **linked, "Location": f"http://{elsewhere}/large/{blob.sha256}"})


def variables(call: Call) -> Response:
    wanted = call.json
    call.repo(write=True).variables[wanted["key"]] = wanted["value"]
    return JSONResponse({wanted["key"]: {"value": wanted["value"]}})


def whoami(call: Call) -> Response:
    who = call.store.who(call.token)
    if who is None:
        raise RefusalError(401, words="Invalid username or password.")
    return JSONResponse({"name": who[0], "type": "user", "orgs": [{"name": n} for n in who[2][1:]], "auth": {}})


ROUTES: list[tuple[str, str, Callable[[Call], Response]]] = [
    ("POST", r"/api/repos/create", create),
    ("POST", r"/api/validate-yaml", validate_yaml),
    ("GET", r"/api/whoami-v2", whoami),
    ("POST", KIND + r"/preupload/(?P<revision>[^/]+)", preupload),
    ("POST", KIND + r"/commit/(?P<revision>[^/]+)", commit),
    ("GET", KIND + r"(?:/revision/(?P<revision>[^/]+))?", info),
    ("GET", KIND + r"/tree/(?P<revision>[^/]+)/?", tree),
    ("GET", KIND + r"/refs", refs),
    ("GET", KIND + r"/commits/(?P<revision>[^/]+)", commits),
    ("POST", KIND + r"/branch/(?P<revision>[^/]+)", branch),
    ("POST", KIND + r"/tag/(?P<revision>[^/]+)", tag),
    ("POST", PAGE + r"\.git/info/lfs/objects/batch", lfs_batch),
    ("PUT", r"/large/(?P<path>[0-9a-f]{64})", put_large),
    ("GET", r"/large/(?P<path>[0-9a-f]{64})", get_large),
    ("POST", r"/verify", verify),
    ("POST", KIND + r"/variables", variables),
    ("GET", PAGE + r"/resolve/(?P<revision>[^/]+)/(?P<path>.+)", resolve),
]
