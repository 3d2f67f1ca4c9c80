"""The parts of `train.compare`."""
