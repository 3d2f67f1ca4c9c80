"""Several pictures at once: opening what was given, reading it, and what is shown and downloaded of it."""
