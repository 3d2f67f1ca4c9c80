"""Pictures and tables into a cases folder: what `train.prepare` is made of."""
