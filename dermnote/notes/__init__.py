"""Clinical notes: strategies, template, writing, and the notes.jsonl format; the audit is re-exported."""

from __future__ import annotations

from dermnote.audit.auditing import AUDIT_VERSION, audit, summarise
from dermnote.audit.claims import Claim, contradicted, stated_diagnosis
from dermnote.audit.masking import mask_diagnosis

__all__ = ["AUDIT_VERSION", "Claim", "audit", "contradicted", "mask_diagnosis", "stated_diagnosis", "summarise"]
