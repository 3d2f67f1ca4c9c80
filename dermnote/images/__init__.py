"""Safe opening of images, lesion crop, and transforms."""
