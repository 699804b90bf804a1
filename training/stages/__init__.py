"""The recipes, one file each: a config that extends RunConfig, trainables with their losses, and the stage."""
