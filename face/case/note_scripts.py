"""What the browser does with a note by itself: nothing of it reaches the server."""

from __future__ import annotations

FILE_NAME = "dermnote-note.json"
SAVE = """
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob([JSON.stringify(record, null, 2) + '\\n'], {type: 'application/json'}));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
"""  # `record` becomes the file `name`
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
  const name = '{FILE_NAME}';{SAVE}}}
"""
# The note stands above the form: bring it up, unless it can be seen already.
SHOW_NOTE = """
() => {
  const note = document.querySelector('#written-note');
  if (!note || note.getBoundingClientRect().top >= 0 || document.querySelector('#form-alert [role=alert]')) return;
  const still = window.matchMedia('(prefers-reduced-motion: reduce)').matches;
  note.scrollIntoView({behavior: still ? 'auto' : 'smooth', block: 'start'});
}
"""
