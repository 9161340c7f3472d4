"""What is measured is the same work on both sides."""

import numpy as np
import pytest

from reference_torch.speed.contenders import FUSED, JAX, NUMPY, PRODUCTS, TORCH_PRODUCTS, Sizes


@pytest.mark.parametrize("network", ["fully-connected", "conv"])
@pytest.mark.parametrize("theirs", [FUSED, JAX])
def test_bench_measures_the_same_work_on_both_sides(theirs, network):
    """After one call of each, both have made the same step: the losses agree, and go on falling."""
    if theirs == JAX:
        pytest.importorskip("jax")
    sizes = Sizes(8, (6, 5), 2, network)
    ours, step = sizes.contender(NUMPY)[NUMPY], sizes.contender(theirs)[theirs]
    for _ in range(3):
        assert ours() == pytest.approx(step(), rel=1e-5)


def test_the_products_are_every_matrix_product_of_the_step(monkeypatch):
    """Counted in multiplications: all of a step's but the images' gradient."""
    products = []
    matmul = np.matmul

    def spy(a, b, out=None):
        products.append(a.shape[0] * a.shape[1] * b.shape[1])
        return matmul(a, b, out=out)

    sizes = Sizes(8, (6, 5), 2)
    monkeypatch.setattr(np, "matmul", spy)
    alone, step = sizes.products(), sizes.numpy_parts()[NUMPY]
    alone()
    in_products, products[:] = sorted(products), []
    step()
    assert in_products == sorted(products)


def test_pytorchs_products_are_numpys():
    """The same calls, on the same numbers."""
    sizes, results = Sizes(8, (6, 5), 2), []
    for name in (PRODUCTS, TORCH_PRODUCTS):
        step = sizes.contender(name)[name]
        step()
        calls = dict(zip(step.__code__.co_freevars, step.__closure__, strict=True))["calls"]
        results.append([np.asarray(call.keywords["out"]) for call in calls.cell_contents])
    assert len(results[0]) == 20
    for ours, theirs in zip(*results, strict=True):
        np.testing.assert_allclose(theirs, ours, rtol=1e-5)
