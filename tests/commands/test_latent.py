"""``numpyvae latent``."""

from pathlib import Path


def test_it_draws_the_space_and_with_two_units_the_manifold(numpyvae, train):
    train("--epochs 1 --out a")
    train("--epochs 1 --autoencoder --z-dim 3 --out b")
    for line, paths in (
        ("latent a", ["a/latent.png", "a/latent-manifold.png"]),
        ("latent b", ["b/latent.png"]),
        ("latent b a --out b/x.png", ["b/x.png", "b/x-manifold.png"]),
    ):
        status, out, _ = numpyvae(line)
        assert (status, out.split()) == (0, paths)
        assert all(Path(path).read_bytes()[:4] == b"\x89PNG" for path in paths)
