"""What the audit knows by heart, as tables: diagnoses, words of danger, places, and phrases that deny or hedge."""
