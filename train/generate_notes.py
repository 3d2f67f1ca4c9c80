"""Writes clinical notes for the cases of a folder, one row a note, and goes on where it stopped.

    python -m train.generate_notes --cases cases/ --strategy m --out notes.jsonl

Strategy M fills a template from metadata. Rows already in the file stay if they say what the template would say today;
rows of other strategies and of other cases are left alone.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tqdm.auto import tqdm

from dermnote.errors import NotesError
from dermnote.notes.schema import Note, NoteRow, parse_line, read_notes, write_notes
from dermnote.notes.strategies import get_strategy
from dermnote.notes.template import template_note
from train.cases import SPLITS, Cases
from train.console import print_summary, run


@dataclass(frozen=True)
class Written:
    """What a run did: notes by number, `notes` by case id."""

    notes: dict[str, Note]
    without_metadata: int
    kept: int
    replaced: int
    others: int

    @property
    def new(self) -> int:
        """Notes added or written anew."""
        return len(self.notes) - self.kept

    @property
    def words_a_note(self) -> str:
        """Mean and range of the number of words."""
        counts = [len(note.text.split()) for note in self.notes.values()]
        return f"{sum(counts) / len(counts):.1f} ({min(counts)} to {max(counts)})"


def compose(cases: Cases, *, demographics: bool) -> dict[str, Note]:
    """The template's note of every case by case id; cases of which nothing is known are left out."""
    notes: dict[str, Note] = {}
    for row in tqdm(range(len(cases)), desc="writing notes", unit="note", leave=False):
        try:
            notes[str(cases.table["case_id"].iloc[row])] = template_note(cases.metadata(row), demographics=demographics)
        except NotesError:
            continue  # counted by the caller: a case without metadata is no fault of the run
    return notes


def repair_tail(path: Path) -> str:
    """Makes the file end with a whole line, as a run that was stopped may have left half of one.

    Returns:
        One line on what was done, or "".
    """
    content = path.read_bytes()
    if not content or content.endswith(b"\n"):
        return ""
    whole, tail = content[: content.rfind(b"\n") + 1], content[content.rfind(b"\n") + 1 :]
    try:
        parse_line(tail, str(path))
    except NotesError:
        with path.open("r+b") as stream:
            stream.truncate(len(whole))
        return f"{path}: the last line was torn; it is removed and its note is written again."
    with path.open("ab") as stream:
        stream.write(b"\n")
    return f"{path}: the last line had no end; it has one now."


def bring_up_to_date(path: Path, notes: dict[str, Note], strategy: str) -> tuple[set[str], int, int]:
    """Drops rows of these cases and this strategy that say something else than `notes`, or say it twice.

    Returns:
        The case ids whose row may stay, how many rows were dropped, and how many rows belong to others.
    """
    kept: set[str] = set()
    stay: list[NoteRow] = []
    dropped = 0
    for row in read_notes(path):
        ours = row.note.strategy == strategy and row.case_id in notes
        if ours and (row.note != notes[row.case_id] or row.case_id in kept):
            dropped += 1
            continue
        stay.append(row)
        if ours:
            kept.add(row.case_id)
    if dropped:
        write_notes(path, stay)
    return kept, dropped, len(stay) - len(kept)


def append(path: Path, rows: Sequence[NoteRow]) -> None:
    """Adds rows at the end, each as one whole line in one write."""
    if not rows:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab", buffering=0) as stream:
        for row in rows:
            stream.write(row.to_line().encode("utf-8"))


def write_strategy(cases: Cases, path: Path, strategy: str, *, demographics: bool) -> Written:
    """Brings the notes of one strategy in the file up to date."""
    notes = compose(cases, demographics=demographics)
    if not notes:
        raise NotesError(f"None of the {len(cases)} cases has metadata to write a note from.")
    kept, replaced, others = bring_up_to_date(path, notes, strategy) if path.exists() else (set[str](), 0, 0)
    append(path, [NoteRow(case_id, note) for case_id, note in notes.items() if case_id not in kept])
    return Written(notes, len(cases) - len(notes), len(kept), replaced, others)


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(prog="python -m train.generate_notes", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--cases", required=True, metavar="FOLDER", help="cases folder written by train.prepare")
    parser.add_argument("--strategy", nargs="+", default=["m"], help="m, m+p1, m+p2 or p3 (default: m)")
    parser.add_argument("--out", required=True, type=Path, metavar="FILE", help="notes.jsonl to write or to go on with")
    parser.add_argument("--demographics", action="store_true", help="tell age, sex, site and skin type too")
    parser.add_argument("--splits", nargs="+", metavar="SPLIT", help=f"only these: {', '.join(SPLITS)}")
    parser.add_argument("--sources", nargs="+", metavar="SOURCE", help="only these sources")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Writes the notes and says what was done."""
    asked = parse(argv)
    strategies = list(dict.fromkeys(get_strategy(name).name for name in asked.strategy))
    cases = Cases.read(asked.cases, splits=asked.splits, sources=asked.sources)
    if asked.out.is_dir():
        raise NotesError(f"{asked.out} is a folder.", "Name a file for --out, such as notes.jsonl.")
    if asked.out.exists() and (said := repair_tail(asked.out)):
        print(said)
    for name in strategies:
        written = write_strategy(cases, asked.out, name, demographics=asked.demographics)
        report(name, len(cases), written, asked)
    return 0


def report(strategy: str, cases: int, written: Written, asked: argparse.Namespace) -> None:
    """Prints what was done, and what comes next."""
    rows: dict[str, object] = {"cases": cases, "notes written": written.new, "notes kept": written.kept}
    if written.replaced:
        rows["rows replaced"] = f"{written.replaced} (the record or the template has changed)"
    rows["without any metadata"] = written.without_metadata
    rows["other rows in the file"] = written.others
    rows["words a note"] = written.words_a_note
    rows["notes"] = asked.out
    print_summary(
        f"Notes of strategy {strategy}: {'written' if written.new else 'up to date'} (research use only)",
        rows,
        f"accelerate launch -m train.fit --config train/configs/starter.yaml --cases {asked.cases} --notes {asked.out}"
        " --out runs/first",
    )


if __name__ == "__main__":
    run(main)
