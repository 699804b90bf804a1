"""Restorers in ComfyUI's memory: its model patchers, operations and folders of weights."""
