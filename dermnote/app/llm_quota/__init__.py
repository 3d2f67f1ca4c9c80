"""Requests to a language model: their destination, and the owner's limits on them."""
