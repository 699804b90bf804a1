"""Root of the clone, which ComfyUI will load as a node pack; there are no nodes yet, so nothing is registered.

pytest imports this file too when it collects `tests/`, so it must stay importable without ComfyUI.
"""
