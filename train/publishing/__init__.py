"""Gallery, model card and licences: what `train.build_index` is made of."""
