"""What the browser does with a batch by itself: the downloads are made there, nothing of them is kept here."""

from __future__ import annotations

from dermnote.app.browser_scripts import SAVE_TEXT, SEEN_ALREADY, bring_up

SAVE = f"""
element.addEventListener('click', (event) => {{
  const button = event.target.closest('[data-save]');
  if (!button) return;
  const kind = button.dataset.save, type = {{csv: 'text/csv', jsonl: 'application/x-ndjson'}}[kind];
  const text = button.closest('[data-csv]').dataset[kind], name = 'dermnote-batch.' + kind;{SAVE_TEXT}}});
"""
SHOW_PROGRESS = bring_up("#batch-progress", SEEN_ALREADY)
FINISHED = '<i class="dn-finished"></i>'  # all is read: the input may be emptied
