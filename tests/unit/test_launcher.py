"""What workers wait for, and for how long they may run. Workers themselves: tests/e2e."""

from __future__ import annotations

import threading
import time

from edgekit.launcher import Clock, Launcher, Offer


def test_an_offer_that_is_made_lets_everybody_go_on() -> None:
    offer, answers = Offer(), list[bool]()
    threads = [threading.Thread(target=lambda: answers.append(offer.wait())) for _ in range(3)]
    for thread in threads:
        thread.start()
    assert not answers
    offer.set()
    for thread in threads:
        thread.join()
    assert answers == [True, True, True]


def test_an_offer_that_is_withdrawn_will_not_come() -> None:
    offer = Offer()
    offer.withdraw()
    assert offer.wait() is False


def test_what_was_there_before_the_withdrawal_stays() -> None:
    offer = Offer()
    offer.set()
    offer.withdraw()
    assert offer.wait() is True


def test_a_clock_rings_once_and_only_while_it_runs() -> None:
    rung = threading.Event()
    clock = Clock(0.05, rung.set)
    clock.start()
    assert rung.wait(10)
    assert clock.is_over


def test_a_clock_that_stands_does_not_ring() -> None:
    clock = Clock(0.2, lambda: None)
    clock.start()
    clock.stop()
    time.sleep(0.4)
    assert not clock.is_over
    assert clock.seconds
    assert clock.seconds <= 0.2


def test_a_clock_without_a_limit_never_rings() -> None:
    clock = Clock(None, lambda: None)
    clock.start()
    clock.stop()
    assert not clock.is_over


def test_launchers_with_other_offers_are_stopped_together() -> None:
    launcher = Launcher()
    other = launcher.offering({"program": Offer()})
    launcher.stop()
    assert other.is_stopped
