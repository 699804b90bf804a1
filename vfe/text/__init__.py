"""The text encoder umT5, used once to make the prompt embedding that the DiT reads; then it is not needed any more."""
