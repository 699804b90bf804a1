"""Times as the ffmpeg program would give them. Its libraries hand out what a file says; here it is repaired, once.

`timeline` moves the packets of all streams of a file to one origin and closes the jumps between joined recordings,
`shown` finds out when frames are shown, `sound` counts packets of sound in samples.
"""
