"""Audit of notes: claims with their polarity and verdict, and masking of the diagnosis."""
