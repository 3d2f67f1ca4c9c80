"""What the browser does with a batch by itself: the downloads are made there, nothing of them is kept here."""

from __future__ import annotations

SAVE = """
element.addEventListener('click', (event) => {
  const button = event.target.closest('[data-save]');
  if (!button) return;
  const kind = button.dataset.save, types = {csv: 'text/csv', jsonl: 'application/x-ndjson'};
  const text = button.closest('[data-csv]').dataset[kind];
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob([text], {type: types[kind]}));
  link.download = 'dermnote-batch.' + kind;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
});
"""
# On a phone they stand below the fold.
SHOW_PROGRESS = """
() => {
  const progress = document.querySelector('#batch-progress');
  if (!progress || progress.getBoundingClientRect().top < window.innerHeight * 0.8) return;
  const still = window.matchMedia('(prefers-reduced-motion: reduce)').matches;
  progress.scrollIntoView({behavior: still ? 'auto' : 'smooth', block: 'start'});
}
"""
FINISHED = '<i class="dn-finished"></i>'  # all is read: the input may be emptied
