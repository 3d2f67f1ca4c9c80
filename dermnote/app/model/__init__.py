"""What a visitor reads of the model: its facts, its card, and how well it does on pictures it was not trained on."""
