"""A run."""

import copy
import pickle
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from numpyvae import Run, load_checkpoint, train
from numpyvae.training.steps import numpy_trainer

pytestmark = pytest.mark.usefixtures("unrendered")


def test_its_vectors_are_what_a_step_changes(run):
    vectors = run.vectors()
    assert list(vectors) == ["parameters", "gradient_sum", "square_sum"]
    assert vectors["parameters"] is run.vae.parameters.flat
    assert vectors["gradient_sum"] is run.adam.gradient_sum
    assert vectors["square_sum"] is run.adam.square_sum


def test_a_run_saves_itself(assert_same_run, run, tmp_path):
    run.save(tmp_path / "a.npz")
    assert_same_run(load_checkpoint(tmp_path / "a.npz"), run)


def test_a_run_says_what_it_is(run, tiny, tiny_config):
    loss = run.history[-1]["val_loss"]
    assert repr(run) == f"<Run on tiny: 3 of 3 epochs, validation loss {loss:.3f}, {run.vae}>"
    assert "0 of 3 epochs, <VAE" in repr(Run.start(tiny_config, tiny.image_shape))


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda a: pickle.loads(pickle.dumps(a))])
def test_a_copy_trains_as_the_run_itself_would(assert_same_run, run, tiny, tiny_config, copied):
    other = copied(run)
    before = run.vae.parameters.flat.copy()
    longer = replace(tiny_config, epochs=4)
    for each in (run, other):
        assert each.adam.parameters is each.vae.parameters
    trained = train(longer, tiny, run=other)
    other.go_on_with(longer)
    trainer = numpy_trainer(other, tiny)
    trainer.train_epoch(lambda _: None)
    np.testing.assert_array_equal(other.vae.parameters.flat, trained.vae.parameters.flat)
    assert not np.array_equal(other.vae.parameters["mean.bias"], run.vae.parameters["mean.bias"])
    np.testing.assert_array_equal(run.vae.parameters.flat, before)


def test_a_pickled_run_goes_on_in_another_process(run, tiny, tiny_config, tmp_path):
    with open(tmp_path / "run.pickle", "wb") as stream:
        pickle.dump((run, replace(tiny_config, epochs=4), tiny), stream)
    code = (
        "import pickle, sys, numpyvae\n"
        "run, config, data = pickle.load(open(sys.argv[1], 'rb'))\n"
        "numpyvae.train(config, data, sys.argv[2], run=run)"
    )
    subprocess.run(
        [sys.executable, "-c", code, tmp_path / "run.pickle", tmp_path / "out"], check=True
    )
    here = train(replace(tiny_config, epochs=4), tiny, run=run)
    there = load_checkpoint(tmp_path / "out")
    np.testing.assert_array_equal(there.vae.parameters.flat, here.vae.parameters.flat)
