"""report.html: the figures of an evaluation as one page that needs nothing but itself."""
