"""A mock of the widgets that Fusion offers to scripts: windows, what is in them, and events that a test sends."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any


class MockEvents:
    """`window.On.Start.Clicked = act`."""

    def __init__(self) -> None:
        self.__dict__["acts"] = {}

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        return self.acts.setdefault(name, MockEvents())

    def __setattr__(self, name: str, act: Callable[[Any], None]) -> None:
        self.acts[name] = act

    __getitem__ = __getattr__


class MockWidget:
    """Any widget, with what it was made of."""

    def __init__(self, attributes: dict[str, Any], below: list[MockWidget] | None = None) -> None:
        self.ID = attributes.get("ID", "")
        self.below = below or []
        self.entries: list[str] = []
        self.is_running = False
        self.Text: str = attributes.get("Text", "")
        self.Value: int = attributes.get("Value", 0)
        self.Checked: bool = attributes.get("Checked", False)
        self.Enabled: bool = attributes.get("Enabled", True)
        self.CurrentIndex = 0

    def AddItem(self, text: str) -> None:
        self.entries.append(text)

    def Start(self) -> None:
        self.is_running = True

    def Stop(self) -> None:
        self.is_running = False

    def all(self) -> Iterator[MockWidget]:
        yield self
        for widget in self.below:
            yield from widget.all()


class MockUIManager:
    """Makes widgets. Groups take what is in them, with attributes before it or without."""

    def __getattr__(self, kind: str) -> Callable[..., MockWidget]:
        assert kind in {"VGroup", "HGroup", "Label", "LineEdit", "SpinBox", "ComboBox", "CheckBox", "Button", "Timer"}

        def make(*given: Any) -> MockWidget:  # noqa: ANN401
            attributes = given[0] if isinstance(given[0], dict) else {}
            below = given[-1] if isinstance(given[-1], list) else []
            return MockWidget(attributes, below)

        return make


class MockWindow:
    def __init__(self, attributes: dict[str, Any], below: list[MockWidget]) -> None:
        self.attributes, self.below, self.On = attributes, below, MockEvents()
        self.is_shown = False

    def GetItems(self) -> dict[str, MockWidget]:
        return {widget.ID: widget for top in self.below for widget in top.all() if widget.ID}

    def Show(self) -> None:
        self.is_shown = True

    def Hide(self) -> None:
        self.is_shown = False


class MockDispatcher:
    """Runs a window by doing, one after another, what a test has a user do."""

    def __init__(self, user: Callable[[MockDispatcher], None]) -> None:
        self.user, self.On = user, MockEvents()
        self.window: MockWindow | None = None
        self.has_left = False

    def AddWindow(self, attributes: dict[str, Any], below: list[MockWidget]) -> MockWindow:
        self.window = MockWindow(attributes, below)
        return self.window

    def RunLoop(self) -> None:
        self.user(self)

    def ExitLoop(self) -> None:
        self.has_left = True

    def send(self, name: str, event: str) -> None:
        """Let a widget of the window send an event."""
        assert self.window is not None
        getattr(self.window.On[name], event)({})

    def tick(self) -> None:
        """Let the timer run out."""
        self.On.Timeout({})


def fusion_with(ui: MockUIManager | None) -> SimpleNamespace:
    return SimpleNamespace(UIManager=ui)
