"""The Model tab: facts on the model, its figures and card, and the switch to another model."""
