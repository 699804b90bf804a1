"""Streamed blocks give the same bits in bounded memory; the order of copies and use is proved on a model of streams."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from tests.support.tiny_dit import TIMESTEP, padded_prompt, random_dit, random_latent, tiny_config
from vfe.models.dit import offload
from vfe.models.dit.folded import FoldedDiT, fold
from vfe.models.dit.fp8 import store_fp8
from vfe.models.dit.model import WanDiT
from vfe.models.dit.offload import AsyncSlot, BlockMemory, BlockStreamer, stream_blocks
from vfe.types import Cancelled

CPU = torch.device("cpu")
LAYERS = 5
CONFIG = tiny_config(layers=LAYERS)
LATENT = random_latent(CONFIG, (2, 4, 4))


def folded(dtype: torch.dtype = torch.float32) -> FoldedDiT:
    return fold(random_dit(CONFIG), TIMESTEP, padded_prompt(1, 8, 16), dtype)


def streamer(model: FoldedDiT | WanDiT) -> BlockStreamer:
    assert isinstance(model.blocks, BlockStreamer)
    return model.blocks


def memory_of(block: nn.Module) -> int:
    """Address of the memory that all of a block's tensors lie in."""
    addresses = {value.untyped_storage().data_ptr() for value in block.state_dict().values()}
    assert len(addresses) == 1
    return addresses.pop()


@pytest.mark.parametrize(("resident", "ahead"), [(0, 1), (0, 0), (2, 1), (1, 2), (4, 3), (5, 1)])
def test_streamed_equals_resident_bit_for_bit_in_bounded_memory(resident: int, ahead: int) -> None:
    model = folded()
    expected = model(LATENT)
    block_bytes = sum(value.nbytes for value in model.blocks[0].state_dict().values())
    stream_blocks(model, CPU, resident, ahead)
    assert torch.equal(model(LATENT), expected)
    assert torch.equal(model(LATENT), expected)  # and the next window
    slots = min(ahead + 1, LAYERS - resident)
    blocks = streamer(model)
    copied = {memory_of(block) for block in blocks if block not in set(blocks.children())}
    assert len(copied) == slots
    layout: BlockMemory = blocks.layouts[0]
    assert set(blocks.layouts) == {layout}
    assert blocks.device_bytes == (resident + slots) * layout.bytes
    assert block_bytes <= layout.bytes <= block_bytes + 256 * len(layout.parts)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_every_dtype_streams_also_from_8_bits(dtype: torch.dtype) -> None:
    model, latent = folded(dtype), LATENT.to(dtype)
    for store in (False, True):
        if store:
            model = folded(dtype)
            store_fp8(model.blocks)
        expected = model(latent)
        stream_blocks(model, CPU)
        assert torch.equal(model(latent), expected)


def test_the_unfolded_model_streams_too() -> None:
    model, prompt = random_dit(CONFIG), padded_prompt(1, 8, 16)
    expected = model(LATENT, TIMESTEP, prompt)
    stream_blocks(model, CPU, resident=1)
    assert torch.equal(model(LATENT, TIMESTEP, prompt), expected)


def test_the_number_of_resident_blocks_can_change() -> None:
    model = folded()
    expected = model(LATENT)
    for resident in (3, 0, 5, 1):
        stream_blocks(model, CPU, resident)
        assert torch.equal(model(LATENT), expected)
        layout: BlockMemory = streamer(model).layouts[0]
        assert streamer(model).device_bytes == min(resident + 2, LAYERS) * layout.bytes


@pytest.mark.parametrize(("resident", "places"), [(1, [4]), (2, [2, 4]), (3, [1, 3, 4]), (4, [1, 2, 3, 4])])
def test_resident_blocks_are_spread_between_streamed_ones(resident: int, places: list[int]) -> None:
    model = folded()
    stream_blocks(model, CPU, resident)
    own = list(streamer(model).children())
    assert [index for index, block in enumerate(streamer(model)) if block is own[index]] == places


def test_weights_keep_their_names_and_values() -> None:
    model = folded()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    stream_blocks(model, CPU, resident=2)
    after = model.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(value, after[name]) for name, value in before.items())


def test_moving_the_model_leaves_the_blocks() -> None:
    model = folded()
    stream_blocks(model, CPU)
    model.to(torch.float64)
    assert model.head.weight.dtype == torch.float64
    assert {value.dtype for value in model.blocks.state_dict().values()} == {torch.float32}


def test_a_cancelled_run_leaves_the_next_one_right() -> None:
    model = folded()
    expected = model(LATENT)
    stream_blocks(model, CPU)

    def cancel(index: int, x: Tensor) -> Tensor:
        if index == 2:
            raise Cancelled
        return x

    with pytest.raises(Cancelled):
        model(LATENT, cancel)
    assert torch.equal(model(LATENT), expected)


@pytest.mark.parametrize(("resident", "ahead"), [(-1, 1), (6, 1), (0, -1)])
def test_impossible_numbers_are_refused(resident: int, ahead: int) -> None:
    with pytest.raises(ValueError, match="needed 0 to 5"):
        stream_blocks(folded(), CPU, resident, ahead)


@pytest.mark.parametrize(("resident", "ahead"), [(0, 0), (0, 1), (2, 1), (0, 6)])
def test_blocks_that_differ_share_slots_of_the_largest(resident: int, ahead: int) -> None:
    """In dtypes, shapes and layers, as the blocks of a file that quantises some weights in more bits."""
    kinds = [nn.Linear(3, 3), nn.Linear(3, 40), nn.Linear(3, 3, dtype=torch.float64)]
    blocks = [copy.deepcopy(kinds[number]) for number in (0, 1, 2, 1, 0, 0)]
    for block in blocks:
        nn.init.normal_(block.weight)
    expected = [block.weight.detach().clone() for block in blocks]
    streamed = BlockStreamer(blocks, CPU, resident, ahead)
    for _ in range(2):
        pairs = zip(streamed, expected, strict=True)
        assert all(torch.equal(block.get_parameter("weight"), weight) for block, weight in pairs)
    slots = min(ahead + 1, len(blocks) - resident)
    largest = max(layout.bytes for layout in streamed.layouts)
    assert streamed.device_bytes <= (slots + resident) * largest


class ModelStream:
    """A stream that knows what of every stream must have happened before its next operation (a vector clock)."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.before: dict[str, int] = {}

    def tick(self) -> int:
        """An operation on this stream: its time."""
        self.before[self.name] = self.before.get(self.name, 0) + 1
        return self.before[self.name]

    def wait_event(self, event: ModelEvent) -> None:
        for name, time in event.before.items():
            self.before[name] = max(time, self.before.get(name, 0))

    def wait_stream(self, other: ModelStream) -> None:
        event = ModelEvent()
        event.record(other)
        self.wait_event(event)


class ModelEvent:
    def __init__(self) -> None:
        self.before: dict[str, int] = {}

    def record(self, stream: ModelStream) -> None:
        self.before = dict(stream.before)


class ModelStreams:
    """Stands in for torch.cuda; `log` has the operations on each memory: (address, stream, its clock)."""

    def __init__(self) -> None:
        self.compute, self.copies = ModelStream("compute"), ModelStream("copies")
        self.active = self.compute
        self.log: list[tuple[int, str, dict[str, int]]] = []

    def Stream(self, _device: torch.device) -> ModelStream:
        return self.copies

    def Event(self) -> ModelEvent:
        return ModelEvent()

    def current_stream(self, _device: torch.device) -> ModelStream:
        return self.active

    @contextmanager
    def stream(self, stream: ModelStream) -> Iterator[None]:
        self.active, former = stream, self.active
        yield
        self.active = former

    def note(self, address: int) -> None:
        self.active.tick()
        self.log.append((address, self.active.name, dict(self.active.before)))

    def unordered(self) -> int:
        """Pairs of operations on one memory of which the earlier need not have happened before the later."""
        return sum(
            first[0] == later[0] and later[2].get(first[1], 0) < first[2][first[1]]
            for index, later in enumerate(self.log)
            for first in self.log[:index]
        )


class NoteCopies(TorchDispatchMode):
    def __init__(self, streams: ModelStreams) -> None:
        super().__init__()
        self.streams = streams

    def __torch_dispatch__(self, func: Any, _types: Any, args: Any = (), kwargs: Any = None) -> Any:  # noqa: ANN401
        if func is torch.ops.aten.copy_.default:
            self.streams.note(args[0].untyped_storage().data_ptr())
        return func(*args, **(kwargs or {}))


def operations(ahead: int, resident: int, monkeypatch: pytest.MonkeyPatch) -> ModelStreams:
    """What two runs of the model do to the slots' memory."""
    streams = ModelStreams()
    monkeypatch.setattr(offload, "streams_of", lambda _device: streams)
    model = folded()
    stream_blocks(model, CPU, resident, ahead)
    own = set(streamer(model).children())
    with NoteCopies(streams):
        for _ in range(2):
            for block in streamer(model):
                if block not in own:
                    streams.note(memory_of(block))
            for memory in {address for address, _, _ in streams.log}:
                streams.note(memory)  # what is freed after a run and used for something else
    return streams


@pytest.mark.parametrize("resident", [0, 2])
@pytest.mark.parametrize("ahead", [0, 1, 2])
def test_every_copy_and_use_of_a_slot_is_ordered(ahead: int, resident: int, monkeypatch: pytest.MonkeyPatch) -> None:
    streams = operations(ahead, resident, monkeypatch)
    names = [name for _, name, _ in streams.log]
    assert names.count("copies") == 2 * (LAYERS - resident)
    assert streams.unordered() == 0


@pytest.mark.parametrize("step", ["acquire", "release"])
def test_a_missing_event_would_be_seen(step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(AsyncSlot, step, lambda slot, *layout: slot.blocks[layout[0]] if layout else None)
    assert operations(1, 0, monkeypatch).unordered() > 0


def test_the_next_block_is_copied_before_this_one_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """The third copy is asked for right after the first use, while the second block, already here, computes."""
    names = [name for _, name, _ in operations(1, 0, monkeypatch).log]
    assert names[:6] == ["copies", "copies", "compute", "copies", "compute", "copies"]
