"""A report as one HTML page, which needs neither other files nor the network."""
