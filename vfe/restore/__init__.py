"""What users hold: a `Restorer` for frames and files, with or without faces found in them."""
