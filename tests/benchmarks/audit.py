"""Accuracy and speed of the audit and of the masking on notes that a vision language model wrote.

    python -m tests.benchmarks.audit --notes ../shared/llm_notes/notes.jsonl --json audit.json

Rows hold isic_id, strategy, true_class, true_subtype, note, and findings (m+p1) or stated_class (p3); a row without a
field that a figure needs is skipped for it. Prints each figure with its target and the number of rows.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from dermnote.audit.auditing import AUDIT_VERSION, audit
from dermnote.audit.claims import DIAGNOSIS, stated_diagnosis
from dermnote.audit.masking import mask_own_diagnosis
from dermnote.metadata import LesionMetadata
from dermnote.notes.template import write_template
from dermnote.taxonomy import EIGHT, find_class
from dermnote.vocabularies.vocabulary import dermoscopy

Row = dict[str, Any]
FOLDS = 5


@dataclass(frozen=True)
class Figure:
    """A measured figure; it has a target where it is not for information only."""

    name: str
    value: float
    n: int
    target: float | None = None
    at_most: bool = False

    @property
    def met(self) -> bool | None:
        if self.target is None or not self.n:
            return None
        return self.value <= self.target if self.at_most else self.value >= self.target


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--notes", type=Path, default=Path("../shared/llm_notes/notes.jsonl"))
    parser.add_argument("--json", type=Path, help="also write the figures here")
    args = parser.parse_args(argv)
    rows = [json.loads(line) for line in args.notes.read_text(encoding="utf-8").splitlines() if line.strip()]
    figures = [*diagnoses(rows), *named_findings(rows), *masked_classes(rows), speed(rows)]
    for each in figures:
        verdict = {True: "met", False: "MISSED", None: ""}[each.met]
        target = "" if each.target is None else f"{'<=' if each.at_most else '>='} {each.target:.3f}"
        print(f"{each.name:<66} {each.value:>9.3f}  {target:<9} {verdict:<7} n = {each.n}")
    if args.json:
        values = [{**asdict(each), "met": each.met} for each in figures]
        report = {"audit_version": AUDIT_VERSION, "notes": args.notes.name, "rows": len(rows), "figures": values}
        args.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    return 0


def diagnoses(rows: list[Row]) -> list[Figure]:
    """The class that p3 notes state, the p3 notes flagged as wrong, and false alarms on notes with the true class."""
    stating = [row for row in rows if row["strategy"] == "p3" and row.get("stated_class")]
    checked = [row for row in stating if row.get("true_class")]
    written = [row for row in rows if row["strategy"] in ("m+p1", "m+p2") and row.get("true_class")]
    stated = [stated_diagnosis(audit(row["note"], None)) for row in stating]
    pairs = zip(stating, stated, strict=True)
    found = sum(each is not None and each.value == row["stated_class"] for row, each in pairs)
    counts = Counter((_flagged(row), row["stated_class"] != row["true_class"]) for row in checked)
    alarms = sum(map(_flagged, written))
    both, n = counts[True, True], len(checked)
    return [
        Figure("p3: asserted class found", _share(found, len(stating)), len(stating), 0.97),
        Figure("p3: flagged diagnoses that are wrong (precision)", _share(both, both + counts[True, False]), n, 0.95),
        Figure("p3: wrong diagnoses flagged (recall)", _share(both, both + counts[False, True]), n, 0.95),
        Figure(
            "m+p1, m+p2: false contradicted diagnosis", _share(alarms, len(written)), len(written), 0.02, at_most=True
        ),
    ]


def named_findings(rows: list[Row]) -> list[Figure]:
    """Findings read from the text of m+p1 notes against those of their writer, over (feature, option) pairs."""
    rows = [row for row in rows if row["strategy"] == "m+p1" and isinstance(row.get("findings"), dict)]
    kinds = {feature.claim: feature.name for feature in dermoscopy().features}
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for row in rows:
        claims = [each for each in audit(row["note"], None) if each.kind in kinds and each.polarity == "asserted"]
        read, chosen = {(kinds[each.kind], each.value) for each in claims}, set()
        for name in kinds.values():
            options = row["findings"].get(name) or []
            chosen |= {(name, option) for option in ([options] if isinstance(options, str) else options)}
        for outcome, pairs in (("hit", read & chosen), ("extra", read - chosen), ("lost", chosen - read)):
            counts["all"][outcome] += len(pairs)
            for name, _ in pairs:
                counts[name][outcome] += 1
    each_feature = [Figure(f"  {name}", _f1(counts[name]), len(rows)) for name in kinds.values()]
    return [Figure("m+p1: findings named in the text (micro F1)", _f1(counts["all"]), len(rows), 0.9), *each_feature]


def masked_classes(rows: list[Row]) -> list[Figure]:
    """Accuracy above chance of a bag-of-words classifier on masked notes; chance is the commonest class's share."""
    rows = [row for row in rows if row.get("true_class")]
    by_strategy: dict[str, list[Row]] = defaultdict(list)
    for row in {row["isic_id"]: row for row in rows}.values():
        by_strategy["m"].append({**row, "note": write_template(_metadata(row))})
    for row in rows:
        by_strategy[row["strategy"]].append(row)
    figures = []
    for strategy, notes in by_strategy.items():
        if len({row["true_class"] for row in notes}) < 2 or len({row["isic_id"] for row in notes}) < FOLDS:
            continue
        chance = max(Counter(row["true_class"] for row in notes).values()) / len(notes)
        trainings = [
            ("masked", notes, _masked),
            ("unmasked", notes, _written),
            ("unmasked m", by_strategy["m"], _written),
        ]
        for name, source, change in trainings[: 2 if strategy == "m" else 3]:
            title = f"masked {strategy}: class by {name} words, above chance ({chance:.3f})"
            target = 0.05 if strategy == "m" else None
            figures.append(Figure(title, _accuracy(source, change, notes) - chance, len(notes), target, at_most=True))
    return figures


def speed(rows: list[Row]) -> Figure:
    """Notes audited per second, each against a record."""
    started, count = time.perf_counter(), 0
    while time.perf_counter() - started < 1:
        for row in rows:
            audit(row["note"], _metadata(row), row.get("findings"))
        count += len(rows)
    return Figure("notes audited a second", count / (time.perf_counter() - started), count)


def _flagged(row: Row) -> bool:
    claims = audit(row["note"], _metadata(row))
    return any(claim.kind == DIAGNOSIS and claim.verdict == "contradicted" for claim in claims)


def _metadata(row: Row) -> LesionMetadata:
    known = find_class(row.get("true_class") or "")
    return LesionMetadata(row.get("true_class"), row.get("true_subtype"), known.malignancy if known else None)


def _masked(row: Row) -> str:
    return mask_own_diagnosis(row["note"], row["true_class"], row.get("true_subtype"), [each.name for each in EIGHT])


def _written(row: Row) -> str:
    return str(row["note"])


def _accuracy(source: list[Row], change: Callable[[Row], str], notes: list[Row]) -> float:
    """Cross-validated by lesion: trained on changed notes of the source, tested on masked notes."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    lesions = sorted({row["isic_id"] for row in notes})
    right = 0
    for fold in range(FOLDS):
        held_out = set(lesions[fold::FOLDS])
        train = [row for row in source if row["isic_id"] not in held_out]
        test = [row for row in notes if row["isic_id"] in held_out]
        model = make_pipeline(TfidfVectorizer(ngram_range=(1, 2)), LogisticRegression(C=10, max_iter=1000))
        model.fit([change(row) for row in train], [row["true_class"] for row in train])
        predicted = model.predict([_masked(row) for row in test]).tolist()
        right += sum(label == row["true_class"] for label, row in zip(predicted, test, strict=True))
    return right / len(notes)


def _share(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")


def _f1(counts: Counter[str]) -> float:
    return _share(2 * counts["hit"], 2 * counts["hit"] + counts["extra"] + counts["lost"])


if __name__ == "__main__":
    raise SystemExit(main())
