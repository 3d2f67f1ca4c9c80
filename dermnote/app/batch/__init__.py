"""Many images at once: uploads, reading, results and exports."""
