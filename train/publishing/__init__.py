"""Contents of published repositories: model card, licence, notes dataset."""
