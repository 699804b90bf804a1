"""Runs `vfe enhance` as its input says, with a stand-in model, as a process that may die of it."""

from __future__ import annotations

import io
import json
from contextlib import redirect_stderr, redirect_stdout
from unittest import mock

from tests.support.cli_run import Run
from tests.support.mixing_pipeline import MixingPipeline
from tests.support.watched import serve
from vfe.cli import main
from vfe.pipeline.windows import WindowConfig

MODULE = "tests.support.enhance_worker"


def enhance(arguments: str) -> str:
    """`vfe enhance` with the arguments that a line of JSON holds; the answer is what it gave, as JSON."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = main(["enhance", *json.loads(arguments)])
    return json.dumps(Run(code, out.getvalue(), err.getvalue()))


if __name__ == "__main__":
    with (
        mock.patch("vfe.restore.restorer.load_pipeline", lambda *_: MixingPipeline(WindowConfig(5, 1))),
        mock.patch("vfe.restore.restorer.face_model_for", lambda *_: None),
    ):
        serve(enhance)
