"""Parts of `train.generate_notes`: what is missing, asking for it, and writing it down so that nothing is lost."""
