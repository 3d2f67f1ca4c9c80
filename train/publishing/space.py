"""The app as a Hugging Face Space: the files it runs from, and a card that names its model."""

from __future__ import annotations

import shutil
from pathlib import Path

import yaml

from dermnote.errors import BundleError

REPOSITORY = Path(__file__).resolve().parents[2]
FILES = ("app.py", "requirements.txt", "LICENSE")
FOLDERS = ("dermnote",)
MODEL_VARIABLE = "DERMNOTE_MODEL"  # what app.py reads


def write_space(folder: Path, model_id: str) -> None:
    """Copies the app into an empty folder. The model is not copied: the Space pulls it by `MODEL_VARIABLE`.

    Args:
        folder: To write into.
        model_id: Hub repository of the model, org/name.

    Raises:
        BundleError: This is no checkout of DermNote's repository.
    """
    if missing := [name for name in (*FILES, *FOLDERS, "README.md") if not (REPOSITORY / name).exists()]:
        raise BundleError(
            f"{REPOSITORY} lacks {missing[0]}.", "A Space is made from a checkout of DermNote's repository."
        )
    for name in FILES:
        shutil.copyfile(REPOSITORY / name, folder / name)
    for name in FOLDERS:
        shutil.copytree(REPOSITORY / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "starter"))
    (folder / "README.md").write_text(_card(model_id), encoding="utf-8")


def _card(model_id: str) -> str:
    """The front matter of the repository's README, which is a Space's, with the model it shows."""
    _, front, _ = (REPOSITORY / "README.md").read_text(encoding="utf-8").split("---\n", 2)
    matter = yaml.safe_dump({**yaml.safe_load(front), "models": [model_id]}, sort_keys=False, allow_unicode=True)
    words = (
        f"**Research use only, never a diagnosis.** This Space shows [{model_id}](https://huggingface.co/{model_id}):"
        " classes and notes for a picture of a skin lesion, and pictures for a note. Made with DermNote."
    )
    return f"---\n{matter}---\n\n{words}\n"
