"""Audit of notes: negation scope, claims, verdicts, and diagnosis masking."""
