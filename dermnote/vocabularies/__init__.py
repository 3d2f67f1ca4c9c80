"""Vocabularies of specialties, and the lexicon of words and phrases that notes use, as YAML."""
