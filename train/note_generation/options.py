"""The command line of `train.generate_notes`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from dermnote.notes.strategies import STRATEGIES

from ..data.cases import SPLITS

EPILOG = """\
strategies:
{strategies}

The key is taken from OPENAI_API_KEY; --base-url names any server that speaks OpenAI's chat completions (vLLM, Ollama,
llama.cpp). Before pictures go to another machine you are told what is sent, and asked.

Run the same command again to go on: notes that stand are kept, replies that came are read from the cache beside --out,
and only what is missing is asked for. A note whose record, prompt or picture has changed is replaced once the new one
is there. failures.jsonl beside notes.jsonl (X.failures.jsonl beside X.jsonl) names the cases without a note, and
why.

exit status: 0 all written; 3 some notes failed or were dropped, or the run was stopped; 2 nothing could be done
(wrong use, the key refused, nothing may be sent); 130 and 143 stopped by Ctrl-C or a polite kill.
"""


def parse(argv: Sequence[str] | None, about: str) -> argparse.Namespace:
    """Reads the command line; `about` heads its help."""
    listed = "\n".join(f"  {name:<5} {each.title}" for name, each in STRATEGIES.items())
    parser = argparse.ArgumentParser(
        prog="python -m train.generate_notes",
        description=about,
        epilog=EPILOG.format(strategies=listed),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_what(parser)
    _add_asking(parser.add_argument_group("asking a language model"))
    _add_spending(parser.add_argument_group("what may be sent and spent"))
    _add_keeping(parser.add_argument_group("what is kept"))
    return parser.parse_args(argv)


def _add_what(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "--cases",
        required=True,
        metavar="CASES",
        help="folder that train.prepare wrote, or a Hub dataset: org/name[@revision]",
    )
    add("--strategy", nargs="+", default=["m"], metavar="NAME", help=f"{', '.join(STRATEGIES)} (default: m)")
    add("--out", required=True, type=Path, metavar="FILE", help="notes.jsonl to write or to go on with")
    add("--demographics", action="store_true", help="tell age, sex, site and skin type too")
    add("--splits", nargs="+", metavar="SPLIT", help=f"only these: {', '.join(SPLITS)}")
    add("--sources", nargs="+", metavar="SOURCE", help="only these sources")
    add("--limit", type=int, metavar="N", help="only the first N cases")


def _add_asking(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add("--model", help="name of the model (default: DERMNOTE_LLM, else gpt-4o-mini)")
    add("--base-url", metavar="URL", help="the server, such as http://127.0.0.1:8000/v1 (default: OPENAI_BASE_URL)")
    add("--vocabulary", type=Path, metavar="FILE", help="another specialty's features, options and classes, as YAML")
    add("--detail", choices=("low", "high"), default="low", help="how closely it looks at a picture (default: low)")
    add("--concurrency", type=int, default=16, metavar="N", help="requests under way at once (default: 16)")
    add("--timeout", type=float, default=60.0, metavar="S", help="seconds a request may take (default: 60)")
    add("--max-retries", type=int, default=4, metavar="N", help="times a request is sent again (default: 4)")
    add("--batch", action="store_true", help="use the Batch API: half the price, an answer within a day")


def _add_spending(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add("--dry-run", action="store_true", help="show what would be sent and what it would cost; send and write nothing")
    add("--yes", action="store_true", help="send without asking")
    add("--max-usd", type=float, metavar="X", help="stop before this run costs more")
    add("--prices", type=Path, metavar="FILE", help="your prices, laid over dermnote/notes/prices.yaml")


def _add_keeping(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add(
        "--on-contradiction",
        choices=("keep", "retry", "drop"),
        default="keep",
        help="a note that its record contradicts is kept and flagged (default), asked for once more, or left out",
    )
    add("--cache", type=Path, metavar="FILE", help="where replies are kept (default: beside --out)")
    add("--replace", action="store_true", help="let this model's notes take the place of another model's")
