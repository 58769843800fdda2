"""The baton between two workers: here threads, which do what the workers' lines do."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

from edgekit.latency.comparison import turns
from edgekit.turns import Baton, Side

ROUNDS = 6


def play(baton: Baton, number: int, blocks: int, seen: list[int], running: list[int]) -> None:
    """Load and warm up at the first turn, then a block at each."""
    try:
        for _ in range(1 + blocks):
            baton.take(number)
            running.append(number)
            assert len(running) == 1, "never two at once"
            seen.append(number)
            running.pop()
    finally:
        baton.leave(number)


def test_the_turns_come_in_order_and_one_at_a_time() -> None:
    baton, seen, running = Baton(ROUNDS), list[int](), list[int]()
    with ThreadPoolExecutor(2) as pool:
        for future in [pool.submit(play, baton, number, ROUNDS, seen, running) for number in (0, 1)]:
            future.result(timeout=10)
    assert seen == [0, 1, *turns(ROUNDS)]


def test_one_that_dies_does_not_hold_up_the_other() -> None:
    baton, seen, running = Baton(ROUNDS), list[int](), list[int]()
    with ThreadPoolExecutor(2) as pool:
        for future in [pool.submit(play, baton, 0, ROUNDS, seen, running), pool.submit(play, baton, 1, 2, seen, running)]:
            future.result(timeout=10)
    assert seen.count(0) == 1 + ROUNDS
    assert seen.count(1) == 1 + 2


def test_a_run_that_is_stopped_lets_everybody_go() -> None:
    baton = Baton(ROUNDS)
    waiting = threading.Thread(target=Side(baton, 1).wait, daemon=True)  # side 0 never comes
    waiting.start()
    Side(baton, 0).set()
    waiting.join(10)
    assert not waiting.is_alive()
