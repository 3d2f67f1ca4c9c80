"""OpenAI-compatible client: requests, servers, retries, pacing, prices, and budget."""
