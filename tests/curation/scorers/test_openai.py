"""The scorer that asks an endpoint, with one on the loopback that behaves well and badly."""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import av
import numpy as np
import pytest

from tests.support.face_clips import flat_clip
from tests.support.fake_endpoint import GOOD, FakeEndpoint, Question, Reply, fake_endpoint
from vfe.curation.scorers.endpoint import KEY_VARIABLE, EndpointConfig
from vfe.curation.scorers.frames import ShownFrames
from vfe.curation.scorers.openai import OpenAIScorer
from vfe.curation.verdict import Scorer
from vfe.types import VFEError

BROKEN = Reply("Of course! {detail: very good}")
CLIP = flat_clip()


@pytest.fixture(autouse=True)
def no_key(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv(KEY_VARIABLE, raising=False)
    yield


def scorer(fake: FakeEndpoint, timeout: float = 10.0) -> OpenAIScorer:
    return OpenAIScorer(EndpointConfig(model="qwen", base=fake.base, timeout=timeout))


def pictures(question: Question) -> list[bytes]:
    content = question.body["messages"][1]["content"]
    urls = [part["image_url"]["url"] for part in content if part["type"] == "image_url"]
    assert all(url.startswith("data:image/jpeg;base64,") for url in urls)
    return [base64.b64decode(url.partition(",")[2]) for url in urls]


def test_a_good_answer_is_a_verdict() -> None:
    with fake_endpoint(Reply()) as fake:
        verdict = scorer(fake).score(CLIP)
    assert verdict.detail == 92
    assert not verdict.unscored
    assert len(fake.questions) == 1


def test_the_question_holds_frames_and_nothing_of_the_machine() -> None:
    with fake_endpoint(Reply()) as fake:
        scorer(fake).score(CLIP)
    question = fake.questions[0]
    assert question.path == "/v1/chat/completions"
    assert {name: question.body[name] for name in ("model", "temperature", "seed")} == {
        "model": "qwen",
        "temperature": 0,
        "seed": 0,
    }
    levels = [round(float(_decoded(data).mean())) for data in pictures(question)]
    chosen = CLIP.frames[[0, 1, 3, 4, 5, 6, 8, 9], 0, 0, 0].tolist()
    assert levels == pytest.approx(chosen, abs=2)
    text = question.body["messages"][1]["content"][-1]["text"]
    assert "These 8 frames" in text
    assert "0.051 seconds apart" in text
    sent = json.dumps(question.body) + str(question.headers)
    assert str(Path.home()) not in sent
    assert "Authorization" not in question.headers


def _decoded(data: bytes) -> np.ndarray:
    with av.open(BytesIO(data), format="jpeg_pipe") as container:
        return next(container.decode(video=0)).to_ndarray(format="rgb24")


def test_frames_are_made_smaller_and_never_larger() -> None:
    with fake_endpoint(Reply()) as fake:
        for side in (48, 512):
            OpenAIScorer(EndpointConfig(model="m", base=fake.base), ShownFrames(count=2, side=side)).score(CLIP)
    assert [_decoded(pictures(question)[0]).shape for question in fake.questions] == [(48, 48, 3), (64, 64, 3)]


def test_an_answer_that_cannot_be_used_is_asked_for_again() -> None:
    with fake_endpoint(BROKEN, Reply(f"Sorry. {json.dumps(GOOD)}")) as fake:
        verdict = scorer(fake).score(CLIP)
    assert verdict.detail == 92
    roles = [message["role"] for message in fake.questions[1].body["messages"]]
    assert roles == ["system", "user", "assistant", "user"]
    assert fake.questions[1].body["messages"][2]["content"] == BROKEN.text
    assert "no complete JSON object" in fake.questions[1].body["messages"][3]["content"]
    assert pictures(fake.questions[1]) == pictures(fake.questions[0])


def test_an_error_of_the_server_is_tried_again() -> None:
    with fake_endpoint(Reply(status=500, body=b"CUDA out of memory"), Reply()) as fake:
        assert scorer(fake).score(CLIP).detail == 92
    assert len(fake.questions) == 2


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (BROKEN, "no complete JSON object"),
        (Reply("I will not judge people."), "no complete JSON object"),
        (Reply(json.dumps(GOOD | {"lighting": "fine"})), "lighting is 'fine'"),
        (Reply(status=500, body=b"CUDA out of\nmemory\x1b[2J"), r"HTTP 500: CUDA out of memory\\x1b"),
        (Reply(status=429, body=b""), "HTTP 429"),
        (Reply(body=b"<html>hello</html>"), "no completion"),
        (Reply(body=b'{"choices": []}'), "no completion"),
        (Reply(body=b"[" * 100_000), "no completion"),
        (Reply(text=""), r"empty \(finish_reason stop\)"),
        (Reply(status=204, body=b""), "no completion"),
        (Reply(body=b" " * (5 << 20)), "more than 4 MiB"),
        (Reply(body=Reply().sent[:99], headers={"Content-Length": "999"}), "no completion"),
    ],
    ids=["broken", "prose", "word", "500", "429", "html", "no-choice", "deep", "empty", "204", "large", "short"],
)
def test_what_is_no_answer_twice_leaves_the_clip_unscored(reply: Reply, reason: str) -> None:
    with fake_endpoint(reply) as fake:
        verdict = scorer(fake, timeout=1.0).score(CLIP)
    assert re.search(reason, verdict.unscored)
    assert verdict.total == 0
    assert len(fake.questions) == 2


@pytest.mark.parametrize("slow", [Reply(wait=30), Reply(drip=0.02)], ids=["silent", "dripping"])
def test_a_slow_endpoint_is_not_waited_for(slow: Reply) -> None:
    with fake_endpoint(slow) as fake:
        start = time.monotonic()
        verdict = scorer(fake, timeout=0.2).score(CLIP)
        assert time.monotonic() - start < 5
    assert verdict.unscored == "no answer within 0.2 s"


def test_nobody_there_leaves_the_clip_unscored() -> None:
    with fake_endpoint(Reply()) as gone:
        pass
    assert "does not answer" in scorer(gone).score(CLIP).unscored


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(status: int) -> None:
    with fake_endpoint(Reply()) as other:
        place = other.base.replace("127.0.0.1", "127.0.0.2")
        with fake_endpoint(Reply(status=status, headers={"Location": f"{place}/v1/chat/completions"})) as fake:
            verdict = scorer(fake).score(CLIP)
    assert "redirects to http://127.0.0.2" in verdict.unscored
    assert other.questions == []


def test_no_proxy_is_used_on_the_way_to_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    with fake_endpoint(Reply()) as proxy, fake_endpoint(Reply()) as fake:
        monkeypatch.setenv("http_proxy", proxy.base)
        monkeypatch.delenv("no_proxy", raising=False)
        assert not scorer(fake).score(CLIP).unscored
    assert proxy.questions == []
    assert len(fake.questions) == 1


@pytest.mark.parametrize("status", [401, 403, 404])
def test_what_asking_again_does_not_mend_is_an_error(status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY_VARIABLE, "sk-secret")
    with fake_endpoint(Reply(status=status, body=b"sk-secret is not known")) as fake:
        with pytest.raises(VFEError, match=f"HTTP {status}: .the key. is not known; ") as error:
            scorer(fake).score(CLIP)
    assert "sk-secret" not in str(error.value)
    assert len(fake.questions) == 1


def test_the_key_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY_VARIABLE, " sk-secret\n")
    with fake_endpoint(Reply()) as fake:
        one = scorer(fake)
        one.score(CLIP)
    assert fake.questions[0].headers["Authorization"] == "Bearer sk-secret"
    assert "sk-secret" not in repr(one.config) + one.name + one.key


def test_a_key_that_no_header_can_hold_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY_VARIABLE, "sk\nX-Other: 1")
    with pytest.raises(VFEError, match=KEY_VARIABLE):
        OpenAIScorer(EndpointConfig(model="m"))


@pytest.mark.parametrize("host", ["127.0.0.1:8000", "localhost", "LOCALHOST:1", "[::1]:8080", "127.8.9.1"])
def test_this_machine_needs_no_leave(host: str) -> None:
    assert EndpointConfig(model="m", base=f"http://{host}/v1/").address == f"http://{host}/v1/chat/completions"


@pytest.mark.parametrize(
    "host", ["example.com", "localhost.example.com", "10.0.0.5:8000", "0.0.0.0", "127.0.0.1.nip.io"]
)
def test_another_machine_has_to_be_allowed(host: str) -> None:
    with pytest.raises(VFEError, match="--remote"):
        EndpointConfig(model="m", base=f"http://{host}")
    assert EndpointConfig(model="m", base=f"https://{host}", remote=True).address.startswith(f"https://{host}/v1")


@pytest.mark.parametrize(
    "base", ["", "127.0.0.1:8000", "file:///etc/passwd", "http://", "http://[::1", "http://127.0.0.1:port", "http://me:key@127.0.0.1"]
)  # fmt: skip
def test_what_is_no_address_is_refused(base: str) -> None:
    with pytest.raises(VFEError, match="address") as error:
        EndpointConfig(model="m", base=base)
    assert "key@" not in str(error.value)


def test_the_key_of_a_scorer_says_what_verdicts_depend_on() -> None:
    def key(model: str = "m", base: str = "http://127.0.0.1:1", count: int = 8, timeout: float = 9) -> str:
        config = EndpointConfig(model=model, base=base, timeout=timeout)
        return OpenAIScorer(config, ShownFrames(count=count)).key

    assert key() == key(base="http://127.0.0.1:2", timeout=1)
    assert len({key(), key(model="n"), key(count=4)}) == 3


def test_it_is_a_scorer() -> None:
    judge: Scorer = OpenAIScorer(EndpointConfig(model="qwen2.5-vl-7b"))
    assert judge.name == "openai:qwen2.5-vl-7b"
