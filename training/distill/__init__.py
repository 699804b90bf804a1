"""Distillation: smaller, faster or better restorers from others (docs/distillation.md)."""
