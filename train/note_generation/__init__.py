"""Generation of notes for many cases: requests, cached replies, notes.jsonl, failures, and costs."""
