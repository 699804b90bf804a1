"""Jobs on a Ray cluster: to its workers travel paths and numbers of segments, never frames.

Each film is a job in a folder that all machines see. Workers plan it, restore its segments and assemble it; what a
worker leaves undone that dies, another one does.
"""
