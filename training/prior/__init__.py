"""What only the training of the dual codebook prior needs: its decoder, its losses and the care of its codebooks."""
