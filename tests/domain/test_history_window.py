from collections.abc import Sequence
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from polyant.domain.history_window import HistoryBudget, window_start

MANY = 10**9


def kept(sizes: Sequence[int], budget: HistoryBudget, *, dropped: int = 0) -> tuple[int, int]:
    """Returns the first and the last number of the messages that go to the model, of a whole conversation.

    Args:
        sizes: The sizes of all messages.
        budget: The budget.
        dropped: The number of messages that are no longer stored.
    """
    newest = sizes[dropped:][-budget.messages :]
    start = window_start(newest, total=len(sizes) - dropped, budget=budget)
    return len(sizes) - len(newest) + start, len(sizes)


def test_everything_goes_up_within_the_budget() -> None:
    budget = HistoryBudget(tokens=10, messages=4)
    assert kept([], budget) == (0, 0)
    assert kept([5, 5], budget) == (0, 2)
    assert kept([1, 1, 1, 1], budget) == (0, 4)


def test_half_of_the_messages_remain_when_their_number_exceeds_the_budget() -> None:
    budget = HistoryBudget(tokens=MANY, messages=100)
    starts = [kept([1] * number, budget)[0] for number in range(260)]
    assert starts[:101] == [0] * 101
    assert starts[101:151] == [50] * 50
    assert starts[151:201] == [100] * 50


def test_half_of_the_tokens_remain_when_they_exceed_the_budget() -> None:
    budget = HistoryBudget(tokens=100, messages=1_000)
    assert kept([10] * 10, budget) == (0, 10)
    assert kept([10] * 11, budget) == (6, 11)
    assert kept([10] * 16, budget) == (6, 16)
    assert kept([10] * 17, budget) == (12, 17)


def test_message_that_exceeds_the_budget_alone_does_not_go_up() -> None:
    budget = HistoryBudget(tokens=100, messages=10)
    assert kept([10, 101], budget) == (2, 2)
    assert kept([10, 101, 20], budget) == (2, 3)
    assert kept([10, 90, 20], budget) == (2, 3)
    assert kept([10, 20, 90], budget) == (2, 3)


@given(
    sizes=st.lists(st.integers(1, 60), max_size=60),
    tokens=st.integers(50, 400),
    messages=st.integers(2, 30),
)
def test_budget_holds_and_the_window_moves_back_only_when_the_number_of_messages_moves_it(
    sizes: list[int], tokens: int, messages: int
) -> None:
    budget = HistoryBudget(tokens=tokens, messages=messages)
    unlimited = HistoryBudget(tokens=MANY, messages=messages)
    previous = (0, 0)
    for number in range(len(sizes) + 1):
        start, by_number = (kept(sizes[:number], each)[0] for each in (budget, unlimited))
        assert number - start <= messages
        assert sum(sizes[start:number]) <= tokens
        assert (by_number, start) >= previous
        previous = (by_number, start)


@given(size=st.integers(1, 40), messages=st.integers(4, 60), tokens=st.integers(100, 2_000))
def test_window_rarely_moves(size: int, messages: int, tokens: int) -> None:
    """A prompt cache is worth it: the window's beginning stays for about half of the budget."""
    budget = HistoryBudget(tokens=tokens, messages=messages)
    starts = [kept([size] * number, budget)[0] for number in range(300)]
    moves = sum(one != two for one, two in pairwise(starts))
    shortest = min(messages // 2, tokens // 2 // size)
    assert moves <= 2 * (300 // max(1, shortest)) + 2
