"""Training of the two encoders: data, losses, engine, checkpoints."""
