"""OpenAI-compatible client: dialects, retries, pacing, prices, and budget."""
