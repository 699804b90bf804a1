"""Many clips by one command: which there are, with which options, where they go, which are done, and who restores them.

What restores one file is handed in by the command, and torch is imported by nothing here: the process that deals out
the work stays small.
"""
