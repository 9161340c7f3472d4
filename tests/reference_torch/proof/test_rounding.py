"""What rounding does is measured by moving last digits."""

import torch
import torch.nn.functional as TF

from reference_torch.proof.rounding import LastDigitNoise


def test_last_digit_noise_moves_results_but_not_inputs():
    weight = torch.ones(50, 50, dtype=torch.float64, requires_grad=True)
    x = torch.ones(50, 50, dtype=torch.float64)
    with LastDigitNoise(0):
        y = TF.relu(x @ weight.T)
        y.sum().backward()
    for result in (y.detach(), weight.grad):
        moved = (result / 50 - 1).abs()
        assert 1e-16 < moved.max() < 1e-14
    assert torch.equal(x, torch.ones_like(x))
    assert torch.equal(weight, torch.ones_like(weight))


def test_the_noise_of_a_seed_is_always_the_same_so_that_verdicts_repeat():
    def moved(seed):
        with LastDigitNoise(seed):
            return torch.ones(50, dtype=torch.float64) + 1

    assert torch.equal(moved(0), moved(0))
    assert not torch.equal(moved(0), moved(1))
