"""A training run from its start to its last epoch: what `train.fit` is made of."""
