"""The stored messages that go to the model: the newest within a budget, in a window that rarely moves."""

from collections.abc import Sequence

import msgspec


class HistoryBudget(msgspec.Struct, frozen=True):
    """The most that a model call may contain of the stored history."""

    tokens: int
    messages: int


def window_start(sizes: Sequence[int], *, total: int, budget: HistoryBudget) -> int:
    """Returns the index of the first message that goes to the model; all later ones go too.

    When the history exceeds a budget, the oldest messages are dropped until half of the budget is used. The result
    depends only on the messages so far, so that the window keeps its beginning over many turns: a window that slid with
    each turn would defeat the prompt cache of the provider.

    Args:
        sizes: The estimated tokens of the newest messages, oldest first: `budget.messages` of them, or all if the
            conversation has fewer.
        total: The number of messages of the whole conversation.
        budget: The budget.
    """
    start = _start_by_number(total, budget.messages) - (total - len(sizes))
    first = max(0, start)
    used = 0
    for end in range(first, len(sizes)):
        used += sizes[end]
        if used > budget.tokens:
            while first < end and used > budget.tokens // 2:
                used -= sizes[first]
                first += 1
            if used > budget.tokens:  # the message alone exceeds the budget
                used, first = 0, end + 1
    return first


def _start_by_number(total: int, maximum: int) -> int:
    """Returns the number of messages that are dropped because there are too many, in steps of half the budget."""
    step = max(1, maximum - maximum // 2)
    return 0 if total <= maximum else -(-(total - maximum) // step) * step
