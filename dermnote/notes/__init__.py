"""Writing, storing, masking and auditing clinical notes."""

from __future__ import annotations

from dermnote.notes.auditing import AUDIT_VERSION, audit, stated_diagnosis, summarise
from dermnote.notes.claims import Claim, contradicted

__all__ = ["AUDIT_VERSION", "Claim", "audit", "contradicted", "stated_diagnosis", "summarise"]
