"""The workbench of one case."""
