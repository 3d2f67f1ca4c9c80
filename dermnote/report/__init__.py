"""Schema of metrics.json, and its tables, sentences and charts for the HTML report, report.md, model card and app."""
