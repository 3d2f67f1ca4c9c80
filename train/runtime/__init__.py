"""Process-level support of the steps: console, distributed processes, randomness, threads, and memory."""
