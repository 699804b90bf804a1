"""The scorers: one without weights, and two that ask a vision language model."""
