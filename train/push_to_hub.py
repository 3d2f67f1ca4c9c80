"""Publishes a bundle on the Hugging Face Hub; optionally also its notes as a dataset and the app as a Space.

    python -m train.push_to_hub bundle/ --repo-id org/name --dry-run
    python -m train.push_to_hub bundle/ --repo-id org/name [--private] [--revision branch]
    python -m train.push_to_hub bundle/ --repo-id org/name --dataset-repo org/notes --cases cases/ --notes notes.jsonl
    python -m train.push_to_hub bundle/ --repo-id org/name --space org/demo

Each repository gets one commit. Before anything is sent, all files are checked for API keys and patient columns.
After an interruption, run it again: uploaded files are not sent twice. The token is the one of `hf auth login`, or
HF_TOKEN; `--dry-run` needs none, sends nothing, and prints each file with its size, and the cards.
"""

from __future__ import annotations

import argparse
import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from dermnote.config import DermNoteConfig
from dermnote.errors import BundleError, ConfigError
from dermnote.hub import Kind, PushResult, push_folder
from dermnote.hub.manifest import verify_manifest

from .data.cases import Cases
from .publishing.notes_dataset import write_notes_dataset
from .runtime.console import print_summary, run

CHECKOUT = Path(__file__).resolve().parents[1]
SPACE_FILES = ("app.py", "requirements.txt", "LICENSE")  # beside the package `dermnote`
MODEL_VARIABLE = "DERMNOTE_MODEL"  # environment variable read by the app
# API keys of common services; long enough that prose does not match.
KEY_PATTERN = (
    r"\bhf_[A-Za-z0-9]{30,}\b|\bsk-[A-Za-z0-9_-]{20,}\b|\bAKIA[0-9A-Z]{16}\b|\bgh[pousr]_[A-Za-z0-9]{36,}\b"
    r"|\bAIza[0-9A-Za-z_-]{35}\b|-----BEGIN [A-Z ]*PRIVATE KEY-----"
)
PATIENT_COLUMNS = {
    *("patient", "patient_id", "patientid", "pid", "mrn", "group", "name", "first_name", "last_name", "surname"),
    *("birth_date", "birthdate", "date_of_birth", "dob", "address", "email", "phone", "ssn", "insurance_number"),
}
TEXT_SUFFIXES = (".json", ".jsonl", ".md", ".txt", ".csv", ".py", ".css", ".toml", ".yaml", ".yml")


@dataclass(frozen=True)
class Repository:
    """A repository to publish and the folder with its files."""

    kind: Kind
    repo_id: str
    folder: Path
    revision: str | None = None
    variables: dict[str, str] = field(default_factory=dict)


def main(argv: Sequence[str] | None = None) -> int:
    """Check and publish; see the module's description."""
    args = _parse(argv)
    with ExitStack() as stack:
        repositories = _prepare(args, stack)
        for each in repositories:
            refuse_leaks(each.folder)
        for each in repositories:
            result = push_folder(
                *(each.folder, each.repo_id, each.kind, args.private, args.dry_run),
                revision=each.revision,
                variables=each.variables,
            )
            _report(args, each, result)
    return 0


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    layout = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        f"python -m {__package__}.push_to_hub", description=__doc__, formatter_class=layout
    )
    parser.add_argument("bundle", type=Path, help="bundle folder, from train.build_index")
    parser.add_argument("--repo-id", required=True, help="model repository, org/name; created if missing")
    parser.add_argument("--private", action="store_true", help="create private repositories")
    parser.add_argument("--revision", help="branch of the model repository to commit to; default main")
    parser.add_argument("--dataset-repo", metavar="ID", help="publish the notes here; needs --cases and --notes")
    parser.add_argument("--cases", metavar="CASES", help="folder that train.prepare wrote; its images are not sent")
    parser.add_argument("--notes", type=Path, metavar="FILE", help="notes.jsonl of these cases")
    parser.add_argument("--space", metavar="ID", help="publish the app here, set to the model")
    parser.add_argument("--dry-run", action="store_true", help="check everything, and print what would be sent")
    args = parser.parse_args(argv)
    if args.dataset_repo and not (args.cases and args.notes):
        raise ConfigError("--dataset-repo needs --cases and --notes.", "Name the cases folder and its notes.jsonl.")
    return args


def _prepare(args: argparse.Namespace, stack: ExitStack) -> list[Repository]:
    """Check and write all files before the first is sent."""
    verify_manifest(args.bundle)
    repositories = [Repository("model", args.repo_id, args.bundle, args.revision)]
    if args.dataset_repo:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        write_notes_dataset(folder, Cases.read(args.cases), args.notes, args.dataset_repo)
        repositories.append(Repository("dataset", args.dataset_repo, folder))
    if args.space:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        write_space(folder, args.repo_id)
        variables = {MODEL_VARIABLE: args.repo_id}
        repositories.append(Repository("space", args.space, folder, variables=variables))
    return repositories


def refuse_leaks(folder: Path) -> None:
    """Check every text file and every table.

    Raises:
        BundleError: One has what looks like a key, or a patient column; the message does not repeat the value.
    """
    for path in filter(Path.is_file, sorted(folder.rglob("*"))):
        if path.suffix not in (".parquet", *TEXT_SUFFIXES):
            continue
        problem = next(_in_table(path) if path.suffix == ".parquet" else _in_text(path), None)
        if problem:
            message = f"{path.relative_to(folder)} has {problem}: nothing was sent."
            raise BundleError(message, "Remove it and try again.")


def _in_text(path: Path) -> Iterator[str]:
    for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), start=1):
        if re.search(KEY_PATTERN, line):
            yield f"what looks like a key in line {number}"


def _in_table(path: Path) -> Iterator[str]:
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    file = pq.ParquetFile(path)
    for name in file.schema_arrow.names:
        if name.lower().replace(" ", "_") in PATIENT_COLUMNS:
            yield f"a patient column ('{name}')"
    texts = [
        each.name for each in file.schema_arrow if pa.types.is_string(each.type) or pa.types.is_large_string(each.type)
    ]
    for batch in file.iter_batches(columns=texts):
        for name, column in zip(batch.schema.names, batch.columns, strict=True):
            if pc.any(pc.match_substring_regex(column, KEY_PATTERN)).as_py():
                yield f"what looks like a key in column '{name}'"


def write_space(folder: Path, model_id: str) -> None:
    """Copy the app into an empty folder as a Space, without the model, which the Space loads by `MODEL_VARIABLE`.

    Raises:
        BundleError: This is not a checkout of DermNote's repository.
    """
    for name in (*SPACE_FILES, "dermnote", "README.md"):
        if not (CHECKOUT / name).exists():
            raise BundleError(f"{CHECKOUT} lacks {name}.", "A Space is made from a checkout of DermNote's repository.")
    for name in SPACE_FILES:
        shutil.copyfile(CHECKOUT / name, folder / name)
    shutil.copytree(CHECKOUT / "dermnote", folder / "dermnote", ignore=shutil.ignore_patterns("__pycache__", "starter"))
    # The front matter of the repository's README is a Space's.
    _, front, _ = (CHECKOUT / "README.md").read_text(encoding="utf-8").split("---\n", 2)
    matter = yaml.safe_dump({**yaml.safe_load(front), "models": [model_id]}, sort_keys=False, allow_unicode=True)
    text = (
        f"**Research use only, never a diagnosis.** This Space shows [{model_id}](https://huggingface.co/{model_id}):"
        " classes and notes for a picture of a skin lesion, and pictures for a note. Made with DermNote."
    )
    (folder / "README.md").write_text(f"---\n{matter}---\n\n{text}\n", encoding="utf-8")


def _report(args: argparse.Namespace, repository: Repository, result: PushResult) -> None:
    print(f"\n{repository.kind} {result.repo_id}")
    for name, size in result.files:
        print(f"  {size:>12,}  {name}")
    total = sum(size for _, size in result.files)
    rows: dict[str, object] = {"files": f"{len(result.files)}, {total / 1e6:.1f} MB"}
    if repository.kind == "model":
        config = DermNoteConfig.load(repository.folder / "config.json")
        rows["licence"] = config.licence
        rows["gallery"] = f"{config.gallery} Its thumbnails and notes are published with the model."
    rows |= {"for": "research use only, never a diagnosis", "where": result.url}
    if result.commit is None:
        print(f"\n{(repository.folder / 'README.md').read_text(encoding='utf-8')}")
        words = [f"python -m {__package__}.push_to_hub {args.bundle} --repo-id {args.repo_id}"]
        words += ["--private"] if args.private else []
        options = ("revision", "dataset_repo", "cases", "notes", "space")
        words += [f"--{name.replace('_', '-')} {value}" for name in options if (value := getattr(args, name))]
        print_summary("Dry run: everything is complete, nothing was sent.", rows, " ".join(words))
        return
    rows["commit"] = result.commit
    call = f'DermNote.from_pretrained("{result.repo_id}")'
    print_summary("Published.", rows, f"python -c 'from dermnote import DermNote; print({call}.card[:200])'")


if __name__ == "__main__":
    run(main)
