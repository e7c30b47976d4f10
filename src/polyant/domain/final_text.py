"""The final text of a turn, collected from its events."""

from polyant.domain.chat import SupervisorEvent, TextDelta, ToolStarted


class FinalText:
    """Collects the text that a whole response consists of.

    Text before a tool call isn't part of the final text. But if the model says nothing after its last tool call, the
    last text beside a tool call is the final text, because an empty answer helps nobody.
    """

    __slots__ = ("_earlier", "_texts")

    def __init__(self) -> None:
        self._earlier = ""
        self._texts: list[str] = []

    def add(self, event: SupervisorEvent) -> None:
        """Adds the next event of the turn."""
        match event:
            case TextDelta():
                self._texts.append(event.text)
            case ToolStarted():
                self._earlier = self.text
                self._texts.clear()

    @property
    def text(self) -> str:
        """The final text so far."""
        text = "".join(self._texts)
        return text if text.strip() else self._earlier or text
