"""Pieces of what the browser does by itself, for the scripts of the tabs."""

from __future__ import annotations

# Gradio draws a page a moment before its buttons do anything, and runs this when they do. For whoever drives a browser.
WIRED = "() => { document.documentElement.dataset.wired = ''; }"
SEEN_ALREADY = "top < window.innerHeight * 0.8"  # for `bring_up`: on a phone, results begin below the fold
# `text` of the kind `type` becomes the file `name`.
SAVE_TEXT = """
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob([text], {type}));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
"""
# `record` becomes the file `name`.
SAVE_RECORD = f"""
  const text = JSON.stringify(record, null, 2) + '\\n', type = 'application/json';{SAVE_TEXT}"""


def bring_up(selector: str, unless: str, whole: str = "") -> str:
    """A script that scrolls to a part of the page.

    Args:
        selector: Of the part.
        unless: When to leave the page as it is, in JavaScript; `top` is where the part begins, in pixels of the window.
        whole: Of what is brought up around it; the part itself if empty.
    """
    shown = f"part.closest('{whole}')" if whole else "part"
    return f"""
() => {{
  const part = document.querySelector('{selector}');
  if (!part) return;
  const top = part.getBoundingClientRect().top;
  if ({unless}) return;
  const still = window.matchMedia('(prefers-reduced-motion: reduce)').matches;
  {shown}.scrollIntoView({{behavior: still ? 'auto' : 'smooth', block: 'start'}});
}}
"""
