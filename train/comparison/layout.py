"""What a comparison keeps in a run's folder, and how it names it."""

TABLE, FACTS = "per_case.parquet", "per_case.json"  # see `train.comparison.per_case`
MARK = "cell.json"  # what the run was made from, and whether it is finished
IMAGE_TO_TEXT, TEXT_TO_IMAGE = "image_to_text", "text_to_image"
