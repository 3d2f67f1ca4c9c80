"""Writing, storing, masking and auditing clinical notes."""

from __future__ import annotations

from dermnote.notes.auditing import AUDIT_VERSION, audit, stated_diagnosis, summarise
from dermnote.notes.claims import Claim, contradicted
from dermnote.notes.masking import mask_diagnosis

__all__ = ["AUDIT_VERSION", "Claim", "audit", "contradicted", "mask_diagnosis", "stated_diagnosis", "summarise"]
