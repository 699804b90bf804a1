"""The command as a script, with a model that takes its time and says when it works."""

SLOW_MODEL = """
import signal, sys, time, vfe.restore.restorer
from vfe.cli import main

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs inherit that it is ignored

class Slow:
    def stream(self, frames, *, strength, on_progress):
        for frame in frames:
            print("working", flush=True)
            time.sleep({pause})
            yield frame

vfe.restore.restorer.load_pipeline = lambda *_: Slow()
sys.exit(main())
"""
