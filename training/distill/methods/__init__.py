"""One file for each method of distillation, with its equations at the top."""
