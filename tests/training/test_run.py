"""A run."""

from numpyvae import Run


def test_its_vectors_are_what_a_step_changes(run):
    vectors = run.vectors()
    assert list(vectors) == ["parameters", "gradient_sum", "square_sum"]
    assert vectors["parameters"] is run.vae.parameters.flat
    assert vectors["gradient_sum"] is run.adam.gradient_sum
    assert vectors["square_sum"] is run.adam.square_sum


def test_a_run_says_what_it_is(run, tiny, tiny_config):
    loss = run.history[-1]["val_loss"]
    assert repr(run) == f"<Run on tiny: 3 of 3 epochs, validation loss {loss:.3f}, {run.vae}>"
    assert "0 of 3 epochs, <VAE" in repr(Run.start(tiny_config, tiny.image_shape))
