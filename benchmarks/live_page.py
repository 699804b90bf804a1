"""The picture of `vfe live`'s page in docs/editors.md: `python -m benchmarks.live_page docs/editors/live.png`.

The page of a real run on the clip of `python -m benchmarks.live`, in a browser without a window; its figures are those
of the machine that made the picture. It needs Playwright and Chromium.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from .live import make_clip

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
SETTLED = 20.0
"""Seconds after which the figures are no longer those of the beginning."""
VIEW = {"width": 860, "height": 640}


def main() -> None:
    parser = argparse.ArgumentParser(description="Make the picture of the page of a live run.")
    parser.add_argument("output", type=Path, help="a .png file; replaced if it exists")
    args = parser.parse_args()
    from playwright.sync_api import sync_playwright

    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as tools:
        clip = Path(folder) / "portrait.mp4"
        make_clip(clip)
        command = [sys.executable, "-m", "vfe", "live", str(clip), "--loop"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as run:
            assert run.stdout is not None
            address = run.stdout.readline().split()[1]
            browser = tools.chromium.launch(executable_path=found, args=["--no-sandbox"])
            page = browser.new_page(viewport=VIEW, locale="en-GB")
            page.goto(address)
            page.get_by_role("button", name="Both halves").click()
            time.sleep(SETTLED)
            page.wait_for_function("() => document.getElementById('picture').naturalWidth > 0", timeout=60_000)
            page.screenshot(path=args.output)
            browser.close()
            run.terminate()


if __name__ == "__main__":
    main()
