"""What the browser does with a note by itself: nothing of it reaches the server."""

from __future__ import annotations

from dermnote.app.browser_scripts import SAVE_RECORD, bring_up

FILE_NAME = "dermnote-note.json"
COPY = "(note) => navigator.clipboard.writeText(note)"
# The claims card carries the note it speaks of; once the text says something else, it must say so.
MARK_EDITED = """
(note) => {
  const card = document.querySelector('#claims [data-record]');
  if (card) card.toggleAttribute('data-edited', note !== JSON.parse(card.dataset.record).text);
}
"""
DOWNLOAD = f"""
(note) => {{
  const card = document.querySelector('#claims [data-record]');
  if (!card) return;
  const record = JSON.parse(card.dataset.record);
  if (note !== record.text) Object.assign(record, {{text: note, edited_by_hand: true, audit: null}});
  const name = '{FILE_NAME}';{SAVE_RECORD}}}
"""
# The note stands above the form.
SHOW_NOTE = bring_up("#written-note", "top >= 0 || document.querySelector('#form-alert [role=alert]')")
