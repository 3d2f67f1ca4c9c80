"""A note's claims and what became of each."""
