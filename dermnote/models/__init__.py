"""Image and text encoders, the joint model, and the results computed with it."""
