"""Vocabularies: features, lexicon, classes, and the loader."""
