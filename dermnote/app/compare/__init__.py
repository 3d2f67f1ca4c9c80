"""One case under every note strategy."""
