"""Writing, storing and masking clinical notes."""
