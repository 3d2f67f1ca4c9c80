"""HTML of a batch: its files, progress and results; all text is escaped."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from textwrap import shorten

from dermnote.app.batch.archive import MAX_FILE_MB, MAX_IMAGES, MAX_TABLE_MB, MAX_UNPACKED_MB
from dermnote.app.batch.batch_inputs import Batch
from dermnote.app.batch.batch_reading import ImageResult, ImageResults, as_csv, as_jsonl
from dermnote.app.batch.metadata_table import KNOWN
from dermnote.app.cards import READ_AS, RESEARCH_ONLY, card_head, count_of, data_url, empty, malignancy_tag
from dermnote.models.prediction import percent

SHOWN = 50  # images on the page; the downloads hold all
LISTED = 100  # skipped files that are named
NOTE_LENGTH = 150  # characters
FAR = "unlike what was trained on"
NO_BATCH = empty(
    "Nothing read yet",
    "Drop pictures of single lesions, or a zip of them, and press the button. Classes and notes appear here.",
)
LIMITS = (
    '<div class="dn-limits"><p>A table (.csv) may be added, also inside the zip. It has a column <code>file</code> '
    f"and any of: {', '.join(f'<code>{name}</code>' for name in KNOWN)}. Its values go into the notes.</p>"
    f"<p>At most {MAX_IMAGES} pictures at a time, and {MAX_FILE_MB} MB a file, zips too ({MAX_UNPACKED_MB} MB "
    f"unpacked; a table {MAX_TABLE_MB} MB). For more, drop several zips, or the pictures themselves.</p>"
    "<p>Notes are filled in from a template; nothing is sent to a language model. The metadata of "
    "pictures is removed at upload. Zips and tables are kept unchanged until all pictures are read, then deleted; the "
    "rest is deleted within two hours. Results are not stored: download them.</p></div>"
)


def inputs_card(batch: Batch) -> str:
    """Return the contents of a batch before it is read."""
    lines = [f"{count_of(len(batch.items), 'picture')} to read."]
    if batch.table:
        known = sum(bool(item.fields) for item in batch.items)
        used = f"Columns used: {', '.join(batch.table.used)}" if batch.table.used else "No column can be used"
        unused = f"; not used: {', '.join(batch.table.unused)[:200]}" if batch.table.unused else ""
        lines.append(f"{batch.table.name} describes {known} of them. {used}{unused}.")
    if batch.skipped:
        lines.append(f"{count_of(len(batch.skipped), 'other file')} left out.")
    lines += batch.remarks
    paragraphs = "".join(f"<p>{escape(line)}</p>" for line in lines)
    return f'<div class="dn-given" role="status">{paragraphs}</div>'


def waiting() -> str:
    """Return the progress card before the first image."""
    return _progress_card("Waiting for its turn", "Other visitors' pictures are read at the same time.", None, 1)


def progress(done: int, total: int, seconds: float) -> str:
    """Return the progress card after `done` of `total` images and `seconds` since the first was started."""
    left = f"About {_time(seconds / done * (total - done))} left." if 0 < done < total else ""
    return _progress_card(f"{done} of {total} read", left, done, total)


def _progress_card(title: str, text: str, done: int | None, total: int) -> str:
    value = "" if done is None else f' value="{done}"'
    return (
        f'<section class="dn-card dn-progress" aria-label="Progress"><p><strong>{escape(title)}</strong> '
        f'<span class="dn-soft">{escape(text)}</span></p>'
        f'<progress max="{total}"{value} aria-label="Pictures read"></progress></section>'
    )


def results_cards(results: ImageResults) -> str:
    """Return the summary with downloads, the errors, the skipped files, and the first images."""
    return _summary(results) + _failed(results.failed) + _not_used(results) + _read(results.read)


def _summary(results: ImageResults) -> str:
    return (
        f'<section class="dn-card" aria-label="Results" data-csv="{escape(as_csv(results))}" '
        f'data-jsonl="{escape(as_jsonl(results))}"><div class="dn-card-head">'
        f'<div role="status"><h3>{escape(results.summary())}</h3></div>'
        f'<span class="dn-caution">{RESEARCH_ONLY}</span></div>'
        f'<p class="dn-gallery">{escape(READ_AS[results.modality])} By {escape(results.model)}.</p>'
        f'{_downloads(results)}<p class="dn-fine">Percentages are shares of the score this model gives to the classes '
        "it knows. They do not say how likely a disease is in a person.</p></section>"
    )


def _read(read: Sequence[ImageResult]) -> str:
    if not read:
        return ""
    more = len(read) - SHOWN
    rest = f'<p class="dn-fine">The first {SHOWN} are shown; the downloads hold {more} more.</p>' if more > 0 else ""
    return (
        f'<section class="dn-card" aria-label="Pictures">{card_head("Likeliest class and note of each")}'
        f'<ol class="dn-batch">{"".join(map(_row, read[:SHOWN]))}</ol>{rest}</section>'
    )


def _downloads(results: ImageResults) -> str:
    if not results.images:
        return ""
    return (
        '<div class="dn-saves"><button type="button" data-save="csv">Download table (CSV)</button>'
        '<button type="button" data-save="jsonl">Download with audits (JSONL)</button></div>'
    )


def _row(result: ImageResult) -> str:
    likeliest = result.predictions[0]
    recorded = f'<p class="dn-where">recorded: {escape(result.record.label)}</p>' if result.record.label else ""
    far = f'<span class="dn-tag dn-tag-far">{FAR}</span>' if result.novelty and result.novelty.far else ""
    note = shorten(result.note.text if result.note else "", NOTE_LENGTH, placeholder=" …")
    source = data_url(result.thumbnail or b"")
    return (
        f'<li><img class="dn-thumb" src="{source}" alt="" width="64" height="64"><div>'
        f'<p class="dn-file">{escape(result.name)}</p><p class="dn-class-who"><span class="dn-class-name">'
        f'{escape(likeliest.label)}</span><span class="dn-share">{percent(likeliest.probability)}</span>'
        f'{malignancy_tag(likeliest.malignancy)}{far}</p><p class="dn-note">{escape(note)}</p>{recorded}</div></li>'
    )


def _failed(failed: Sequence[ImageResult]) -> str:
    return _reasons(f"{count_of(len(failed), 'file')} failed", [_reason(each.name, each.error) for each in failed])


def _not_used(results: ImageResults) -> str:
    rows = [_reason("", line) for line in results.remarks]
    rows += [_reason(each.name, each.reason) for each in results.skipped[:LISTED]]
    more = len(results.skipped) - LISTED
    return _reasons("Not used", [*rows, _reason("", f"and {more} more files")] if more > 0 else rows)


def _reasons(title: str, rows: Sequence[str]) -> str:
    if not rows:
        return ""
    return (
        f'<section class="dn-card" aria-label="{title}"><h3>{title}</h3>'
        f'<ul class="dn-reasons" tabindex="0" aria-label="{title}">{"".join(rows)}</ul></section>'
    )


def _reason(name: str, reason: str) -> str:
    named = f"<b>{escape(name)}</b> " if name else ""
    return f"<li>{named}{escape(reason)}</li>"


def _time(seconds: float) -> str:
    return f"{max(1, round(seconds))} s" if seconds < 90 else f"{round(seconds / 60)} min"
