"""Process-level support of the training steps: console, environment, launch, and distributed computation."""
