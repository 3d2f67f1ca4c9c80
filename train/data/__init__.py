"""Sources, cases dataset, and splits."""
