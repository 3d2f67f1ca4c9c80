"""Bundle manifest: any change is detected before a file is read."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from dermnote.errors import BundleError
from dermnote.hub.manifest import read_manifest, verify_manifest, write_manifest


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    folder = tmp_path / "bundle"
    (folder / "index").mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(b"weights")
    (folder / "index" / "images.faiss").write_bytes(bytes(range(256)))
    write_manifest(folder)
    return folder


def flip_bit(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))


def list_also(bundle: Path, name: str) -> None:
    document = json.loads((bundle / "manifest.json").read_text())
    document["files"][name] = {"sha256": "0" * 64, "size": 4}
    (bundle / "manifest.json").write_text(json.dumps(document))


def refused(bundle: Path, message: str, patterns: list[str] | None = None) -> None:
    with pytest.raises(BundleError, match=message) as caught:
        verify_manifest(bundle, patterns)
    assert "\n" not in str(caught.value)


def test_a_complete_bundle_passes(bundle: Path) -> None:
    verify_manifest(bundle)
    assert set(read_manifest(bundle)) == {"config.json", "model.safetensors", "index/images.faiss"}
    for name in (".gitattributes", ".git/HEAD", ".cache/huggingface/download/x.metadata"):  # of git and the Hub client
        (bundle / name).parent.mkdir(parents=True, exist_ok=True)
        (bundle / name).write_text("x")
    verify_manifest(bundle)


def test_changed_truncated_missing_and_extra_files_are_named(bundle: Path) -> None:
    flip_bit(bundle / "index" / "images.faiss")
    refused(bundle, "index/images.faiss was changed")
    (bundle / "index" / "images.faiss").write_bytes(b"short")
    refused(bundle, "has 5 bytes, the manifest lists 256")
    (bundle / "index" / "more.json").write_text("{}")
    refused(bundle, r"index/more.json")
    (bundle / "model.safetensors").unlink()
    refused(bundle, r"incomplete: model.safetensors missing")


@pytest.mark.parametrize("name", ["pytorch_model.bin", "state.pkl", "modeling_dermnote.py", "index/run.SO"])
def test_pickles_and_code_are_refused_even_when_listed(bundle: Path, name: str) -> None:
    (bundle / name).write_bytes(b"\x80\x04N.")
    refused(bundle, "must not be in a bundle")
    with pytest.raises(BundleError, match="must not be in a bundle"):
        write_manifest(bundle)
    list_also(bundle, name)
    refused(bundle, "must not be in a bundle")


def test_paths_outside_the_bundle_are_refused(bundle: Path) -> None:
    (bundle.parent / "secret.json").write_text("{}")
    names = (
        "../secret.json",
        "/etc/passwd.txt",
        "index/../../secret.json",
        "C:/a.json",
        "index\\x.json",
        "./a.json",
        "",
    )
    for name in names:
        write_manifest(bundle)
        list_also(bundle, name)
        refused(bundle, "outside the bundle")


def test_links_are_refused(bundle: Path) -> None:
    (bundle / "twin.json").symlink_to(bundle / "config.json")
    with pytest.raises(BundleError, match="is a link"):
        write_manifest(bundle)
    (bundle / "twin.json").unlink()
    (bundle / "twin").symlink_to(bundle / "index", target_is_directory=True)
    refused(bundle, "twin")
    (bundle / "twin").unlink()
    outside = (bundle / "config.json").rename(bundle.parent / "outside.json")
    (bundle / "config.json").symlink_to(outside)  # the right bytes at the wrong place
    refused(bundle, r"not a regular file inside|is a link")


def test_an_invalid_manifest_is_one_clear_error(bundle: Path) -> None:
    for text in ("", "[]", "{", '{"files": {"config.json": {}}}', '{"files": []}', "null", "[" * 100_000):
        (bundle / "manifest.json").write_text(text)
        refused(bundle, "not a readable manifest")
    (bundle / "manifest.json").unlink()
    refused(bundle, "not a DermNote bundle")


def test_a_part_is_checked_separately(bundle: Path) -> None:
    (bundle / "model.safetensors").unlink()
    verify_manifest(bundle, ["index/*"])
    flip_bit(bundle / "index" / "images.faiss")
    verify_manifest(bundle, ["config.json"])
    refused(bundle, "was changed", ["index/*"])


def test_links_of_the_hub_cache_pass_and_others_do_not(bundle: Path) -> None:
    """The client's layout is snapshots/COMMIT/file -> ../../blobs/HASH."""
    repository = bundle.parent / "models--org--name"
    snapshot, blobs = repository / "snapshots" / ("a" * 40), repository / "blobs"
    blobs.mkdir(parents=True)
    for path in (p for p in bundle.rglob("*") if p.is_file()):
        link = snapshot / path.relative_to(bundle)
        link.parent.mkdir(parents=True, exist_ok=True)
        blob = path.rename(blobs / path.name)
        link.symlink_to(os.path.relpath(blob, link.parent))
    verify_manifest(snapshot)
    outside = (blobs / "config.json").rename(repository.parent / "elsewhere.json")
    (snapshot / "config.json").unlink()
    (snapshot / "config.json").symlink_to(outside)
    refused(snapshot, "not a regular file inside")
