"""Long restorations as jobs on disk: they go on where they were, whatever died on the way."""
