"""Publishes a bundle as one commit on the Hugging Face Hub.

    python -m train.push_to_hub bundle/ --repo-id org/name [--private] [--revision branch] [--dry-run]

The token is the one of `hf auth login`, or HF_TOKEN. `--dry-run` needs none and sends nothing.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from dermnote.config import DermNoteConfig
from dermnote.hub import PushResult, push
from train.console import print_summary, run


def main(argv: Sequence[str] | None = None) -> int:
    """Checks and publishes the bundle; see the module's description."""
    parser = argparse.ArgumentParser(prog="python -m train.push_to_hub", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("bundle", type=Path, help="bundle folder, from train.build_index")
    parser.add_argument("--repo-id", required=True, help="Hub repository, org/name; made if it does not exist")
    parser.add_argument("--private", action="store_true", help="only people with access can see it")
    parser.add_argument("--revision", help="branch to commit to; default main")
    parser.add_argument("--dry-run", action="store_true", help="check the bundle and list what would be sent")
    args = parser.parse_args(argv)
    result = push(args.bundle, args.repo_id, private=args.private, dry_run=args.dry_run, revision=args.revision)
    _report(args, result, DermNoteConfig.load(args.bundle / "config.json"))
    return 0


def _report(args: argparse.Namespace, result: PushResult, config: DermNoteConfig) -> None:
    for name, size in result.files:
        print(f"  {size:>12,}  {name}")
    rows: dict[str, object] = {
        "files": f"{len(result.files)}, {result.total_bytes / 1e6:.1f} MB",
        "licence": config.licence,
        "gallery": f"{config.gallery} Its thumbnails and notes are published with the model.",
        "for": "research use only, never a diagnosis",
        "where": result.url,
    }
    if result.commit is None:
        again = f"python -m train.push_to_hub {args.bundle} --repo-id {args.repo_id}"
        again += (" --private" if args.private else "") + (f" --revision {args.revision}" if args.revision else "")
        print_summary("Dry run: the bundle is whole, nothing was sent.", rows, again)
        return
    rows["commit"] = result.commit
    call = f'DermNote.from_pretrained("{result.repo_id}", revision="{result.commit}")'
    print_summary("Published.", rows, f"python -c 'from dermnote import DermNote; print({call}.card[:200])'")


if __name__ == "__main__":
    run(main)
