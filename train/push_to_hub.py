"""Publishes a bundle on the Hugging Face Hub; with it, if you like, its notes as a dataset and the app as a Space.

    python -m train.push_to_hub bundle/ --repo-id org/name --dry-run
    python -m train.push_to_hub bundle/ --repo-id org/name [--private] [--revision branch]
    python -m train.push_to_hub bundle/ --repo-id org/name --dataset-repo org/notes --cases cases/ --notes notes.jsonl
    python -m train.push_to_hub bundle/ --repo-id org/name --space org/demo

Each repository is one commit. Before anything is sent, everything is looked through for keys and columns on patients.
Broken off, run it again: what arrived is not sent twice. The token is the one of `hf auth login`, or HF_TOKEN;
`--dry-run` needs none, sends nothing, and prints each file with its size, and the cards.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from dermnote.config import DermNoteConfig
from dermnote.errors import ConfigError
from dermnote.hub import Kind, PushResult, push_folder
from dermnote.hub.manifest import verify_manifest

from .data.cases import Cases
from .publishing.leaks import refuse_leaks
from .publishing.notes_dataset import write_notes_dataset
from .publishing.space import MODEL_VARIABLE, write_space
from .runtime.console import print_summary, run


@dataclass(frozen=True)
class Part:
    """A repository to be: what it is, where it goes, and the folder with its files."""

    kind: Kind
    repo_id: str
    folder: Path
    revision: str | None = None
    variables: dict[str, str] = field(default_factory=dict)


def main(argv: Sequence[str] | None = None) -> int:
    """Checks and publishes; see the module's description."""
    args = _parse(argv)
    with ExitStack() as stack:
        parts = _parts(args, stack)
        for part in parts:
            refuse_leaks(part.folder)
        for part in parts:
            result = push_folder(
                part.folder,
                part.repo_id,
                part.kind,
                private=args.private,
                dry_run=args.dry_run,
                revision=part.revision,
                variables=part.variables,
            )
            _report(args, part, result)
    return 0


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    shape = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser("python -m train.push_to_hub", description=__doc__, formatter_class=shape)
    parser.add_argument("bundle", type=Path, help="bundle folder, from train.build_index")
    parser.add_argument("--repo-id", required=True, help="model repository, org/name; made if it does not exist")
    parser.add_argument("--private", action="store_true", help="only people with access can see what is published")
    parser.add_argument("--revision", help="branch of the model repository to commit to; default main")
    parser.add_argument("--dataset-repo", metavar="ID", help="publish the notes here; needs --cases and --notes")
    parser.add_argument("--cases", metavar="CASES", help="folder that train.prepare wrote; its pictures are not sent")
    parser.add_argument("--notes", type=Path, metavar="FILE", help="notes.jsonl of these cases")
    parser.add_argument("--space", metavar="ID", help="publish the app here, set to the model")
    parser.add_argument("--dry-run", action="store_true", help="check everything, and print what would be sent")
    args = parser.parse_args(argv)
    if args.dataset_repo and not (args.cases and args.notes):
        raise ConfigError("--dataset-repo needs --cases and --notes.", "Name the cases folder and its notes.jsonl.")
    return args


def _parts(args: argparse.Namespace, stack: ExitStack) -> list[Part]:
    """All that is to be published, checked and made before the first of it leaves."""
    verify_manifest(args.bundle)
    parts = [Part("model", args.repo_id, args.bundle, args.revision)]
    if args.dataset_repo:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        write_notes_dataset(folder, Cases.read(args.cases), args.notes, args.dataset_repo)
        parts.append(Part("dataset", args.dataset_repo, folder))
    if args.space:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        write_space(folder, args.repo_id)
        parts.append(Part("space", args.space, folder, variables={MODEL_VARIABLE: args.repo_id}))
    return parts


def _report(args: argparse.Namespace, part: Part, result: PushResult) -> None:
    print(f"\n{part.kind} {result.repo_id}")
    for name, size in result.files:
        print(f"  {size:>12,}  {name}")
    rows: dict[str, object] = {"files": f"{len(result.files)}, {result.total_bytes / 1e6:.1f} MB"}
    call = f'DermNote.from_pretrained("{result.repo_id}")'
    if part.kind == "model":
        config = DermNoteConfig.load(part.folder / "config.json")
        rows["licence"] = config.licence
        rows["gallery"] = f"{config.gallery} Its thumbnails and notes are published with the model."
    rows |= {"for": "research use only, never a diagnosis", "where": result.url}
    if result.commit is None:
        print(f"\n{(part.folder / 'README.md').read_text(encoding='utf-8')}")
        print_summary("Dry run: all is whole, nothing was sent.", rows, _again(args))
        return
    rows["commit"] = result.commit
    print_summary("Published.", rows, f"python -c 'from dermnote import DermNote; print({call}.card[:200])'")


def _again(args: argparse.Namespace) -> str:
    words = [f"python -m train.push_to_hub {args.bundle} --repo-id {args.repo_id}"]
    words += ["--private"] if args.private else []
    named = ("revision", "dataset_repo", "cases", "notes", "space")
    words += [f"--{name.replace('_', '-')} {value}" for name in named if (value := getattr(args, name))]
    return " ".join(words)


if __name__ == "__main__":
    run(main)
