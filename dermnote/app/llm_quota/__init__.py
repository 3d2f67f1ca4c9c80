"""Asking a language model: where it goes, and how much of it a visitor may have."""
