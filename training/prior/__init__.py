"""What only the training of the dual codebook prior needs: its decoder and the care of its codebooks."""
