"""Safe image opening, lesion crop and transforms."""
