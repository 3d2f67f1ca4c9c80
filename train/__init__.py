"""The way of the data: prepare -> generate_notes -> fit -> evaluate -> build_index -> push_to_hub."""
