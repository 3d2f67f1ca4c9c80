"""Backbones, image and text encoders, the joint model, and its heat maps."""
