"""numpyvae against a second witness, where it is installed: JAX's autodiff, and optax's Adam."""

import re
import sys

import numpy as np
import pytest

from numpyvae import VAE, Adam, Convolutional, ConvolutionalAutoencoder, FullyConnected, InputError
from numpyvae import functional as F
from numpyvae.flat import FlatArrays
from numpyvae.importance import IWAE
from reference_torch.__main__ import main
from reference_torch.proof.parity import assert_agree

SMALL = "gradcheck --witness jax --image-size 2 3 --hidden 5 4 --z-dim 2 --batch-size 3"


def test_without_jax_the_command_says_what_it_needs(call, monkeypatch):
    monkeypatch.delitem(sys.modules, "reference_torch.proof.jax_witness", raising=False)
    monkeypatch.setitem(sys.modules, "jax", None)
    status, _, err = call(main, SMALL)
    assert (status, err.count("\n")) == (2, 1)
    assert "--witness jax needs jax: pip install jax" in err


class TestJax:
    """Skipped as a whole where there is no JAX."""

    @pytest.fixture(autouse=True)
    def jax(self):
        return pytest.importorskip("jax")

    @pytest.fixture
    def parity(self):
        from reference_torch.proof.jax_witness import jax_parity

        return jax_parity

    @pytest.mark.parametrize("bound", [None, "importance", "dreg", "elbo"])
    @pytest.mark.parametrize("reconstruction", ["mse", "bce"])
    @pytest.mark.parametrize("dtype", [np.float64, np.float32])
    def test_all_losses_and_gradients(self, parity, bound, reconstruction, dtype):
        """With a quarter of the pixels exactly 0, a quarter exactly 1, and weights of exactly 0."""
        model = case(bound, reconstruction, dtype)
        comparisons = parity(*model)
        names = ["total", "reconstruction", "kl", "x", "mean", "log_var", "z", *model[0].parameters]
        assert [comparison.name for comparison in comparisons] == names
        assert {comparison.witness for comparison in comparisons} == {"JAX"}
        assert_agree(comparisons)

    @pytest.mark.parametrize("dtype", [np.float64, np.float32])
    @pytest.mark.parametrize(
        ("network", "sizes"),
        [
            (Convolutional, ((11, 10, 2), (3, 4), 2)),  # a pixel is left over at both halvings
            (ConvolutionalAutoencoder, ((16, 28, 2), (3, 4))),
        ],
    )
    def test_convolutions(self, parity, dtype, network, sizes):
        rng = np.random.default_rng(0)
        vae = VAE(network(*sizes, dtype, seed=0), "bce")
        x = rng.random((3, vae.x_dim)).astype(dtype)
        assert_agree(parity(vae, x, rng.standard_normal((3, vae.z_dim)).astype(dtype)))

    @pytest.mark.parametrize("bound", [None, "dreg"])
    def test_a_lost_path_is_noticed(self, parity, bound, monkeypatch):
        right = F.reparameterize_backward

        def wrong(*arguments, **out):
            grad_mean, grad_log_var = right(*arguments, **out)
            return grad_mean, 2 * grad_log_var

        monkeypatch.setattr(F, "reparameterize_backward", wrong)
        comparisons = parity(*case(bound, "mse", np.float64))
        found = {comparison.name for comparison in comparisons if not comparison.agrees}
        assert {"log_var", "log_var.weight", "encoder1.weight"} <= found
        assert not found & {"mean", "z", "decoder1.weight"}
        with pytest.raises(AssertionError, match=r"NumPy and JAX disagree:\nx: NumPy .*, JAX "):
            assert_agree(comparisons)

    @pytest.mark.parametrize("part", ["network", "reconstruction"])
    def test_another_model_is_refused(self, part):
        from reference_torch.proof.jax_witness import losses_and_gradients

        vae = VAE(FullyConnected(4, 3, 3, 2, np.float64))
        setattr(vae, part, "another")
        with pytest.raises(InputError, match=r"does not know this model: .*another"):
            losses_and_gradients(vae, np.zeros((1, 4)), np.zeros((1, 2)), 1.0)

    @pytest.mark.parametrize("weight_decay", [0.0, 0.1])
    @pytest.mark.parametrize("dtype", [np.float64, np.float32])
    def test_adam_takes_the_steps_of_optax(self, weight_decay, dtype):
        pytest.importorskip("optax")
        from reference_torch.proof.jax_witness import optax_parity

        rng = np.random.default_rng(0)
        shapes = {"a": (6, 5), "b": (7,)}
        parameters = FlatArrays(shapes, dtype)
        parameters.flat[...] = rng.standard_normal(37)
        adam = Adam(parameters, 0.01, (0.8, 0.99), 1e-6, weight_decay)
        gradients = [
            {name: rng.standard_normal(shape).astype(dtype) for name, shape in shapes.items()}
            for _ in range(200)
        ]
        assert_agree(optax_parity(adam, gradients))

    @pytest.mark.parametrize("options", ["", "--reconstruction bce --importance-samples 3"])
    def test_gradcheck_with_another_witness(self, call, options):
        status, out, _ = call(main, f"{SMALL} {options}")
        assert status == 0
        assert len(re.findall(r" vs JAX ", out)) == 2
        assert len(re.findall(r" right$", out, re.MULTILINE)) == 3 + 4 + 14

    def test_autodiff_of_the_textbooks_cross_entropy_is_wrong_at_0_and_the_derived_one_is_not(
        self, jax
    ):
        """What proof.md tells of a witness that errs."""
        jnp, t = jax.numpy, 0.3

        def textbook(a):
            return jax.nn.relu(a) - t * a + jnp.log1p(jnp.exp(-abs(a)))

        by_hand = F.bernoulli_cross_entropy_backward(np.zeros((1, 1)), np.full((1, 1), t)).item()
        assert by_hand == pytest.approx(0.2)
        assert float(jax.grad(textbook)(0.0)) == pytest.approx(-0.8)
        assert float(jax.grad(textbook)(1e-3)) == pytest.approx(0.2, abs=1e-3)


def case(bound, reconstruction, dtype):
    """A model and its arguments."""
    rng = np.random.default_rng(0)
    network = FullyConnected(11, 8, 6, 3, dtype, seed=0)
    network.parameters["decoder3.weight"][2] = 0
    network.parameters["decoder3.bias"][2] = 0  # a logit of exactly 0
    x = np.clip(rng.uniform(-0.5, 1.5, (5, 11)), 0, 1).astype(dtype)
    samples = 1 if bound is None else 3
    eps = rng.standard_normal((5 * samples, 3)).astype(dtype)
    if bound is None:
        return VAE(network, reconstruction), x, eps, 0.7
    beta = 0.7 if bound == "elbo" else 1.0
    return IWAE(network, reconstruction, samples=samples, bound=bound), x, eps, beta
