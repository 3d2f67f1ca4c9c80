"""A bundle that was changed in any way is refused before anything in it is read."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
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


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))


def edit(bundle: Path, change: Callable[[dict], None]) -> None:
    document = json.loads((bundle / "manifest.json").read_text())
    change(document["files"])
    (bundle / "manifest.json").write_text(json.dumps(document))


def test_a_whole_bundle_passes_and_lists_every_file(bundle: Path) -> None:
    verify_manifest(bundle)
    assert set(read_manifest(bundle)) == {"config.json", "model.safetensors", "index/images.faiss"}


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "index/images.faiss"])
def test_one_changed_bit_is_found(bundle: Path, name: str) -> None:
    flip(bundle / name)
    with pytest.raises(BundleError, match=f"{name} was changed"):
        verify_manifest(bundle)


def test_a_cut_off_file_is_named_with_both_sizes(bundle: Path) -> None:
    (bundle / "index" / "images.faiss").write_bytes(b"short")
    with pytest.raises(BundleError, match="has 5 bytes, the manifest lists 256"):
        verify_manifest(bundle)


def test_a_missing_file_is_named(bundle: Path) -> None:
    (bundle / "model.safetensors").unlink()
    with pytest.raises(BundleError, match=r"incomplete: model.safetensors missing"):
        verify_manifest(bundle)


def test_an_extra_file_is_named(bundle: Path) -> None:
    (bundle / "index" / "more.json").write_text("{}")
    with pytest.raises(BundleError, match=r"index/more.json"):
        verify_manifest(bundle)


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt", "state.pkl", "modeling_dermnote.py", "index/run.SO"])
def test_pickles_and_code_are_refused_even_when_listed(bundle: Path, name: str) -> None:
    (bundle / name).write_bytes(b"\x80\x04N.")
    with pytest.raises(BundleError, match="must not be in a bundle"):
        verify_manifest(bundle)
    with pytest.raises(BundleError, match="must not be in a bundle"):
        write_manifest(bundle)
    edit(bundle, lambda files: files.update({name: {"sha256": "0" * 64, "size": 4}}))
    with pytest.raises(BundleError, match="must not be in a bundle"):
        verify_manifest(bundle)


@pytest.mark.parametrize(
    "name",
    ["../secret.json", "/etc/passwd.txt", "index/../../secret.json", "C:/secret.json", "index\\x.json", "./a.json", ""],
)
def test_a_path_that_climbs_out_is_refused(bundle: Path, name: str) -> None:
    (bundle.parent / "secret.json").write_text("{}")
    edit(bundle, lambda files: files.update({name: {"sha256": "0" * 64, "size": 2}}))
    with pytest.raises(BundleError, match="outside the bundle"):
        verify_manifest(bundle)


def test_links_are_refused(bundle: Path) -> None:
    outside = bundle.parent / "outside.json"
    (bundle / "config.json").rename(outside)
    (bundle / "config.json").symlink_to(outside)  # the bytes are right, the place is not
    with pytest.raises(BundleError, match=r"not a regular file inside|is a link"):
        verify_manifest(bundle)


def test_a_link_within_the_bundle_and_a_linked_folder_are_refused(bundle: Path) -> None:
    (bundle / "twin.json").symlink_to(bundle / "config.json")
    with pytest.raises(BundleError, match="is a link"):
        write_manifest(bundle)
    (bundle / "twin.json").unlink()
    (bundle / "twin").symlink_to(bundle / "index", target_is_directory=True)
    with pytest.raises(BundleError):
        verify_manifest(bundle)


@pytest.mark.parametrize(
    "text", ["", "[]", "{", '{"files": {"config.json": {}}}', '{"files": []}', "null", "[" * 100_000]
)
def test_a_manifest_that_is_none_is_one_clear_error(bundle: Path, text: str) -> None:
    (bundle / "manifest.json").write_text(text)
    with pytest.raises(BundleError, match="not a readable manifest"):
        verify_manifest(bundle)


def test_no_manifest_means_no_bundle(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="not a DermNote bundle"):
        verify_manifest(tmp_path)


def test_what_git_and_the_hub_client_leave_beside_the_files_does_no_harm(bundle: Path) -> None:
    (bundle / ".gitattributes").write_text("*.safetensors filter=lfs\n")
    for parts in (".git/HEAD", ".cache/huggingface/download/x.metadata"):
        path = bundle / parts
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    verify_manifest(bundle)


def test_a_part_is_checked_as_a_part(bundle: Path) -> None:
    (bundle / "model.safetensors").unlink()
    verify_manifest(bundle, ["index/*"])
    flip(bundle / "index" / "images.faiss")
    verify_manifest(bundle, ["config.json"])
    with pytest.raises(BundleError, match="was changed"):
        verify_manifest(bundle, ["index/*"])


def test_the_hub_cache_s_own_links_pass_and_others_there_do_not(bundle: Path) -> None:
    """The client keeps snapshots/COMMIT/file -> ../../blobs/HASH."""
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
    with pytest.raises(BundleError, match="not a regular file inside"):
        verify_manifest(snapshot)
