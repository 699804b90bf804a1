"""What may be added to a method of distillation, one file each."""
