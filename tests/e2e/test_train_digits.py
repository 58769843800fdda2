"""The training itself, shortened: it learns, and a seed decides everything."""

from __future__ import annotations

import pytest
import torch

pytest.importorskip("sklearn")

from edgekit.digits import recipe


@pytest.fixture(scope="module")
def trained() -> recipe.TrainedDigits:
    return recipe.train(seed=1, epochs=2)


def same_weights(one: recipe.TrainedDigits, other: recipe.TrainedDigits) -> bool:
    ours, theirs = one.network.state_dict(), other.network.state_dict()
    return all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_two_epochs_recognise_far_more_than_chance(trained: recipe.TrainedDigits) -> None:
    assert trained.held_out_count == 360
    assert trained.accuracy > 0.5
    assert trained.seconds > 0
    assert not trained.network.training


def test_one_seed_gives_one_set_of_weights(trained: recipe.TrainedDigits) -> None:
    torch.manual_seed(99)  # what the caller did with torch's global generator must not matter
    assert same_weights(trained, recipe.train(seed=1, epochs=2))


def test_another_seed_gives_other_weights_every_epoch_is_reported_and_torch_is_left_as_it_was(
    trained: recipe.TrainedDigits,
) -> None:
    reports: list[tuple[int, float, float]] = []
    state, deterministic = torch.get_rng_state(), torch.are_deterministic_algorithms_enabled()
    other = recipe.train(seed=2, epochs=2, report=lambda epoch, loss, accuracy: reports.append((epoch, loss, accuracy)))
    assert not same_weights(trained, other)
    assert [epoch for epoch, _, _ in reports] == [1, 2]
    assert reports[1][1] < reports[0][1]
    assert all(0 <= accuracy <= 1 for _, _, accuracy in reports)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.are_deterministic_algorithms_enabled() == deterministic
