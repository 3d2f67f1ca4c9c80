"""How much may be given at a time. All of it is said on the page, before anybody meets it."""

from __future__ import annotations

MB = 1024 * 1024
MAX_PICTURES = 200
MAX_FILE_MB = 20  # of a picture, and of a zip: the app takes no larger upload
MAX_UNPACKED_MB = 200  # of one zip; photos hardly shrink when they are packed
MAX_MEMBERS = 1000  # of one zip, what is left out included
MAX_TABLE_MB = 2
