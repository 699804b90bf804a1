"""The recipes, one file each: a config that extends RunConfig, players with their losses, and the stage."""
