"""Training of restorers: degradation, data, losses and the loop. It imports `vfe`; nothing imports it."""
