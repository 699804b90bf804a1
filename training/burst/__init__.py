"""Training of the face restorer for minutes: on a GPU that one has for a quarter of an hour, or on a CPU meanwhile."""
