"""The convolutional network as a VAE's: gradients, memory, sizes, and a training with it.

Parity with PyTorch is in tests/reference_torch/proof/test_parity.py.
"""

from dataclasses import asdict, replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import numpyvae
from numpyvae import (
    Config,
    Convolutional,
    ConvolutionalAutoencoder,
    Dataset,
    InputError,
    load_checkpoint,
    train,
)
from numpyvae import convolution as C
from numpyvae import functional as F
from numpyvae.commands.main import main
from numpyvae.importance import IWAE
from numpyvae.training.run import Run

sides = st.integers(8, 11)
image_shapes = st.tuples(sides, sides) | st.tuples(sides, sides, st.integers(1, 3))
seeds = st.integers(0, 2**32 - 1)
MARGIN = 1e-3  # of a ReLU's input from 0, beyond what a central difference moves


def make(image_shape=(9, 10), channels=(3, 4), z_dim=3, dtype=np.float64, loss="mse", seed=0):
    return numpyvae.VAE(Convolutional(image_shape, channels, z_dim, dtype, seed), loss)


def make_autoencoder(image_shape=(16, 16), channels=(3, 4), dtype=np.float64, loss="mse", seed=0):
    return numpyvae.VAE(ConvolutionalAutoencoder(image_shape, channels, dtype, seed), loss)


both = pytest.mark.parametrize("make", [make, make_autoencoder])


def batch(vae, n, seed=0):
    rng = np.random.default_rng(seed)
    x, eps = rng.random((n, vae.x_dim)), rng.standard_normal((n, vae.z_dim))
    return x.astype(vae.dtype), eps.astype(vae.dtype)


def copies(gradients):
    return {name: gradient.copy() for name, gradient in gradients.items()}


def assert_same(actual, expected):
    assert list(actual) == list(expected)
    for name in expected:
        np.testing.assert_array_equal(actual[name], expected[name], err_msg=name)


def distance_to_kinks(vae, x):
    """The smallest distance from 0 of any ReLU's input in the last forward pass."""
    w, a = vae.parameters, vae.activations
    images = x.reshape(len(x), *(*vae.network.sizes[0], 1)[:3]).transpose(0, 3, 1, 2)

    def layer(function, name, h, *more):
        return function(h, w[f"{name}.weight"], w[f"{name}.bias"], *more)

    odd = [n % 2 for n in a["h1"].shape[2:]]
    inputs = [
        layer(C.conv2d, "encoder1", images, 2, 1),
        layer(C.conv2d, "encoder2", a["h1"], 2, 1),
        layer(F.linear, "decoder1", a["z"]),
        layer(C.conv_transpose2d, "decoder2", a["h3"], 2, 1, odd),
    ]
    return min(np.abs(h).min() for h in inputs)


def autoencoders_distance_to_kinks(vae):
    """The same, and the smallest distance between the largest two in a patch of a pool, if on."""
    w, a = vae.parameters, vae.activations
    code = a["z"].reshape(-1, *vae.network._shapes["mean"]).transpose(0, 3, 1, 2)

    def layer(function, name, h, *more):
        return np.abs(function(h, w[f"{name}.weight"], w[f"{name}.bias"], *more)).min()

    def gap(h, *pool):
        patches = C.im2col(h, *pool)
        *_, second, first = np.moveaxis(
            np.sort(patches.reshape(*patches.shape[:3], 4, -1), 3), 3, 0
        )
        return np.where(first > 0, first - second, np.inf).min()

    return min(
        layer(C.conv2d, "encoder1", a["image"], 3, 1),
        gap(a["h1"], 2, 2),
        layer(C.conv2d, "encoder2", a["p1"], 2, 1),
        gap(a["h2"], 2, 1),
        layer(C.conv_transpose2d, "decoder1", code, 2),
        layer(C.conv_transpose2d, "decoder2", a["h3"], 3, 1),
    )


# Gradients and activations


@given(image_shapes, st.sampled_from(["mse", "bce"]), st.floats(0, 4), seeds)
@settings(max_examples=10)
def test_every_gradient_is_the_central_difference(assert_gradient, image_shape, loss, beta, seed):
    vae = make(image_shape, (2, 2), 2, loss=loss, seed=seed)
    x, eps = batch(vae, 2, seed)
    vae.forward(x, eps, beta)
    assume(distance_to_kinks(vae, x) > MARGIN)

    gradients, total = copies(vae.backward()), lambda: vae.forward(x, eps, beta).total
    input_gradient = vae.input_gradient()
    assert list(gradients) == list(vae.parameters)
    for name, gradient in gradients.items():
        assert_gradient(gradient, total, vae.parameters[name], name)
    assert_gradient(input_gradient, total, x, "x")


@given(
    st.sampled_from([(16, 16), (16, 16, 2), (28, 16)]),
    st.sampled_from(["mse", "bce"]),
    st.floats(0, 4),
    seeds,
)
@settings(max_examples=6)
def test_every_gradient_of_the_autoencoder_is(assert_gradient, image_shape, loss, beta, seed):
    vae = make_autoencoder(image_shape, (2, 2), loss=loss, seed=seed)
    x, eps = batch(vae, 2, seed)
    vae.forward(x, eps, beta)
    assume(autoencoders_distance_to_kinks(vae) > MARGIN)

    gradients, total = copies(vae.backward()), lambda: vae.forward(x, eps, beta).total
    input_gradient = vae.input_gradient()
    assert list(gradients) == list(vae.parameters)
    for name, gradient in gradients.items():
        assert_gradient(gradient, total, vae.parameters[name], name)
    assert_gradient(input_gradient, total, x, "x")


@both
def test_backward_twice_gives_the_same(make):
    vae = make()
    vae.forward(*batch(vae, 4))
    first = copies(vae.backward())
    assert_same(vae.backward(), first)


@both
def test_encode_and_decode_do_not_disturb_backward(make):
    vae = make()
    vae.forward(*batch(vae, 4))
    expected = copies(vae.backward())
    vae.forward(*batch(vae, 4))
    vae.decode(vae.encode(batch(vae, 4, seed=1)[0])[0])
    vae.sample(4, np.random.default_rng(0))
    assert_same(vae.backward(), expected)


@both
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_batches_of_any_order_of_sizes_are_as_in_a_fresh_model(make, dtype):
    vae = make(dtype=dtype)
    for n in (5, 2, 6, 1, 9, 3):
        x, eps = batch(vae, n, seed=n)
        fresh = make(dtype=dtype)
        assert vae.forward(x, eps, 0.7) == fresh.forward(x, eps, 0.7)
        assert_same(vae.backward(), copies(fresh.backward()))
        assert {array.dtype for array in vae.activations.values()} == {np.dtype(dtype)}


def test_several_samples_of_each_image_are_decoded():
    model = IWAE(Convolutional((9, 10), (3, 4), 2, np.float64), "bce", samples=5)
    rng = np.random.default_rng(0)
    x, eps = rng.random((3, 90)), rng.standard_normal((15, 2))
    one, all_of_them = model.forward(x[:1], eps[:5]).total, model.forward(x, eps).total
    assert one < all_of_them
    assert model.activations["h4"].shape == (15, 3, 4, 5)
    assert model.activations["h1"].shape == (3, 3, 4, 5)


def test_a_shifted_image_has_a_shifted_hidden_layer():
    """By four pixels, far from the edges: what a convolution knows and a linear layer does not."""
    vae = make((32, 32))
    x = np.zeros((2, 32, 32))
    patch = np.random.default_rng(0).random((6, 6))
    x[0, 12:18, 12:18], x[1, 16:22, 12:18] = patch, patch
    vae.forward(x.reshape(2, -1), np.zeros((2, 3)))
    for name, moved in (("h1", 2), ("h2", 1)):
        first, second = vae.activations[name]
        np.testing.assert_allclose(second[:, moved + 1 : -1], first[:, 1 : -moved - 1], rtol=1e-12)
    assert np.ptp(first) > 0


# Memory


@pytest.mark.parametrize(
    ("network", "most"), [(Convolutional, 450), (ConvolutionalAutoencoder, 1000)]
)
def test_a_training_step_allocates_nothing_large(traced, network, most):
    """The largest are weights turned round, 128 KiB each, and the KL divergence's small arrays.

    The patches of h1 take 6 MiB, its output 1.5 MiB. A pool's backward pass keeps track of winners.
    """
    vae = numpyvae.VAE(network())
    adam = numpyvae.Adam(vae.parameters)
    x, eps = batch(vae, 64)

    def step():
        vae.forward(x, eps)
        adam.step(vae.backward())

    step()  # makes the buffers
    with traced() as peak:
        step()
    assert peak() < most * 1024


# Sizes and settings


def test_parameters_are_as_pytorch_stores_them():
    shapes = {name: array.shape for name, array in numpyvae.VAE(Convolutional()).parameters.items()}
    assert shapes == {
        "encoder1.weight": (32, 1, 4, 4),
        "encoder1.bias": (32,),
        "encoder2.weight": (64, 32, 4, 4),
        "encoder2.bias": (64,),
        "mean.weight": (50, 3136),
        "mean.bias": (50,),
        "log_var.weight": (50, 3136),
        "log_var.bias": (50,),
        "decoder1.weight": (3136, 50),
        "decoder1.bias": (3136,),
        "decoder2.weight": (64, 32, 4, 4),
        "decoder2.bias": (32,),
        "decoder3.weight": (32, 1, 4, 4),
        "decoder3.bias": (1,),
    }


def test_the_articles_parameters_and_code():
    vae = numpyvae.VAE(ConvolutionalAutoencoder())
    assert {name: array.shape for name, array in vae.parameters.items()} == {
        "encoder1.weight": (32, 1, 3, 3),
        "encoder1.bias": (32,),
        "encoder2.weight": (64, 32, 3, 3),
        "encoder2.bias": (64,),
        "decoder1.weight": (64, 32, 3, 3),
        "decoder1.bias": (32,),
        "decoder2.weight": (32, 16, 5, 5),
        "decoder2.bias": (16,),
        "decoder3.weight": (16, 1, 2, 2),
        "decoder3.bias": (1,),
    }
    mean, log_var = vae.encode(batch(vae, 3)[0])
    assert mean.shape == log_var.shape == (3, 64 * 2 * 2)
    assert not log_var.any()


def test_sides_that_come_back_are_16_28_40_and_so_on():
    for n in range(1, 70):
        if n >= 16 and n % 12 == 4:
            assert ConvolutionalAutoencoder.code_size((n, 28), (3, 5)) == (n - 4) // 12 * 2 * 5
            vae = make_autoencoder((n, 16, 2))
            x, _ = batch(vae, 2)
            assert vae.decode(vae.encode(x)[0]).shape == x.shape
        else:
            with pytest.raises(InputError, match=f"16, 28, 40, .* these have {n} x 28"):
                ConvolutionalAutoencoder((n, 28))


@pytest.mark.parametrize("channels", [(0, 4), (3, 2.5), (True, 4)])
def test_channels_must_be_whole_and_positive(channels):
    with pytest.raises(ValueError, match="whole numbers of at least 1"):
        ConvolutionalAutoencoder(channels=channels)


@given(image_shapes, seeds)
@settings(max_examples=20)
def test_an_image_comes_back_in_its_size(image_shape, seed):
    vae = make(image_shape, seed=seed)
    x, _ = batch(vae, 2, seed)
    assert vae.decode(vae.encode(x)[0]).shape == (2, np.prod(image_shape))


@pytest.mark.parametrize("image_shape", [(7, 8), (8, 7), (7, 28, 3)])
def test_an_image_too_small_is_refused(image_shape):
    with pytest.raises(InputError, match=f"at least 8 x 8 pixels, these have {image_shape[0]} x"):
        Convolutional(image_shape)


@pytest.mark.parametrize("settings", [{"z_dim": 0}, {"channels": (3, 0)}, {"z_dim": 2.5}])
def test_sizes_must_be_whole_and_positive(settings):
    with pytest.raises(ValueError, match="whole numbers of at least 1"):
        Convolutional(**settings)


def test_a_model_says_what_it_is():
    assert repr(make()) == "<VAE conv 9x10x1-3-4-3, mse, float64, 657 parameters>"
    copy = make((8, 8, 3)).astype(np.float32)
    assert (copy.dtype, copy.network.sizes) == (np.float32, ((8, 8, 3), (3, 4), 3))


# A training


@pytest.fixture
def images() -> Dataset:
    """40 training and 12 test images of 9 x 10 random pixels."""
    pixels = np.random.default_rng(0).integers(0, 256, (52, 90), np.uint8)
    return Dataset("tiny", pixels[:40], None, pixels[40:], None, (9, 10))


@pytest.fixture
def config(tiny_config) -> Config:
    return replace(tiny_config, network="conv", hidden=(3, 4))


def test_the_hidden_layers_of_a_configuration_are_the_networks():
    assert Config().hidden == (512, 256)
    assert Config(network="conv").hidden == (32, 64)
    assert Config(network="conv", hidden=(2, 3)).hidden == (2, 3)
    with pytest.raises(
        InputError, match=r"must be fully-connected or conv or conv-.*, got 'linear'"
    ):
        Config(network="linear")


def test_an_autoencoder_is_trained_without_noise_and_beta():
    config = Config(network="conv-autoencoder")
    assert (config.noise, config.beta, config.z_dim, config.hidden) == (False, 0, 256, (32, 64))
    assert (Config().noise, Config(noise=False).noise) == (True, False)
    needs = "network conv-autoencoder is an autoencoder, .* needs noise False and beta 0, got"
    for changes, got in (({"noise": True}, "True and 0"), ({"beta": 0.5}, "False and 0.5")):
        with pytest.raises(InputError, match=f"{needs} {got}"):
            Config(network="conv-autoencoder", **changes)
    with pytest.raises(InputError, match=needs):
        replace(Config(), network="conv-autoencoder")
    with pytest.raises(InputError, match="importance_samples needs noise"):
        Config(network="conv-autoencoder", importance_samples=2, beta=0)


def test_the_code_has_the_size_that_the_images_give_it():
    config = Config(network="conv-autoencoder", hidden=(3, 4))
    with pytest.raises(InputError, match=r"16 x 28 pixels, with 4 channels, into 8 .* 8, not 256"):
        Run.start(config, (16, 28))
    assert Run.start(replace(config, z_dim=8), (16, 28)).vae.z_dim == 8


@pytest.mark.usefixtures("unrendered")
@pytest.mark.parametrize("changes", [{}, {"importance_samples": 3}])
def test_a_resumed_run_ends_bit_for_bit_where_the_whole_run_ends(images, config, tmp_path, changes):
    config = replace(config, reconstruction="bce", **changes)
    whole = train(config, images, tmp_path / "whole")
    train(replace(config, epochs=1), images, tmp_path / "parts")
    train(config, images, tmp_path / "parts", resume=True)
    resumed = load_checkpoint(tmp_path / "parts")
    assert resumed.config == whole.config
    for name, vector in whole.vectors().items():
        np.testing.assert_array_equal(resumed.vectors()[name], vector, err_msg=name)
    assert whole.history[-1]["train_loss"] < whole.history[0]["train_loss"]


def test_a_checkpoint_without_a_network_is_fully_connected():
    settings = asdict(Config())
    del settings["network"]
    assert Config.from_json(settings) == Config()


@pytest.mark.usefixtures("unrendered")
def test_commands_on_a_run_and_what_they_refuse(call, assert_mistake, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    np.save("own.npy", rng.integers(0, 256, (60, 9, 10), np.uint8))
    np.save("small.npy", rng.integers(0, 256, (60, 7, 10), np.uint8))
    train_conv = "train --network conv --hidden 3 4 --z-dim 2 --epochs 1 --dataset"
    assert_mistake(main, f"{train_conv} small.npy", "at least 8 x 8 pixels, these have 7 x 10")
    assert_mistake(main, f"{train_conv} small.npy --out new", "at least 8 x 8 pixels")
    status, out, _ = call(main, f"{train_conv} own.npy --out run")
    assert (status, "conv 9x10x1-3-4-2 and back" in out) == (0, True)
    again = "train --dataset own.npy --epochs 2 --out run --resume"
    assert_mistake(main, f"{again} --network fully-connected", "network conv, not fully-connected")
    assert call(main, again)[0] == 0
    for line in ("evaluate run", "sample run --n 4", "latent run", "reconstruct run --n 2"):
        assert call(main, line)[0] == 0, line
    assert_mistake(main, "explore run", "the page shows fully connected networks")

    assert call(main, "export run --to w.safetensors")[0] == 0
    assert call(main, "import w.safetensors --out copy")[0] == 0
    copy, run = load_checkpoint("copy"), load_checkpoint("run")
    np.testing.assert_array_equal(copy.vae.parameters.flat, run.vae.parameters.flat)
    assert copy.config.network == "conv"
    assert_mistake(
        main,
        "import w.safetensors --out other --image-size 12 12",
        "has mean.weight of shape (2, 16), not (2, 36)",
    )


@pytest.mark.usefixtures("unrendered")
def test_commands_on_an_autoencoder_and_what_they_refuse(
    call, assert_mistake, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    np.save("own.npy", rng.integers(0, 256, (60, 16, 28), np.uint8))
    np.save("other.npy", rng.integers(0, 256, (60, 16, 27), np.uint8))
    line = "train --network conv-autoencoder --hidden 3 4 --z-dim 8 --epochs 1 --dataset"
    assert_mistake(main, f"{line} other.npy", "12 n + 4; these have 16 x 27")
    assert_mistake(main, f"{line} own.npy --z-dim 9", "into 8 numbers: z_dim must be 8, not 9")
    assert_mistake(main, f"{line} own.npy --beta 1", "needs noise False and beta 0")
    assert call(main, f"{line} own.npy --out run")[0] == 0
    again = "train --dataset own.npy --epochs 2 --out run --resume"
    assert_mistake(main, f"{again} --network conv", "network conv-autoencoder, not conv")
    assert call(main, again)[0] == 0
    status, out, _ = call(main, f"{line} own.npy --autoencoder --epochs 2 --out straight")
    assert (status, "conv-autoencoder 16x28x1-3-4-8 and back" in out) == (0, True)
    run, straight = load_checkpoint("run"), load_checkpoint("straight")
    np.testing.assert_array_equal(run.vae.parameters.flat, straight.vae.parameters.flat)
    for line in (
        "evaluate",
        "sample --n 4",
        "latent",
        "reconstruct --n 2",
        "interpolate --n 3",
        "encode",
        "traverse",
    ):
        command, *options = line.split()
        assert call(main, " ".join([command, "run", *options]))[0] == 0, line
    assert_mistake(main, "explore run", "the page shows fully connected networks")

    assert call(main, "export run --to w.safetensors")[0] == 0
    assert call(main, "import w.safetensors --out copy")[0] == 0
    copy = load_checkpoint("copy")
    np.testing.assert_array_equal(copy.vae.parameters.flat, run.vae.parameters.flat)
    assert copy.config == replace(run.config, epochs=copy.config.epochs)


@pytest.mark.parametrize("image_shape", [(16, 28), (16, 28, 3)])
def test_weights_of_the_articles_network_by_other_names(tmp_path, image_shape):
    """As a pair of Sequentials names them, without our settings; their channels say the colour."""
    from safetensors.numpy import save_file

    ours = numpyvae.VAE(ConvolutionalAutoencoder(image_shape, (3, 4), seed=1)).parameters
    names = {"encoder1": "encoder.0", "encoder2": "encoder.3"}
    names |= {"decoder1": "decoder.0", "decoder2": "decoder.2", "decoder3": "decoder.4"}
    theirs = {f"{names[k.split('.')[0]]}.{k.split('.')[1]}": w for k, w in ours.items()}
    save_file(theirs, tmp_path / "w.safetensors")
    text = "\n".join(f"{their} {our}" for our, their in names.items())
    (tmp_path / "names.txt").write_text(text)
    path, names = tmp_path / "w.safetensors", tmp_path / "names.txt"
    run = numpyvae.load_weights(path, image_shape=(16, 28), names=names)
    np.testing.assert_array_equal(run.vae.parameters.flat, ours.flat)
    assert run.image_shape == image_shape
    assert (run.config.network, run.config.z_dim, run.config.noise) == (
        "conv-autoencoder",
        8,
        False,
    )
    with pytest.raises(InputError, match="does not say for which images"):
        numpyvae.load_weights(path, names=names)
    names.write_text(text.replace("decoder.2 decoder2", ""))
    with pytest.raises(InputError, match=r"maps nothing to decoder2.bias, decoder2.weight$"):
        numpyvae.load_weights(path, image_shape=(16, 28), names=names)


def test_a_checkpoint_of_one_network_is_none_of_the_other(tmp_path, images, config):
    """Its header says conv, its vectors have another network's sizes, or the other way round."""
    run = Run.start(config, (9, 10))
    run.config = replace(config, network="fully-connected")
    numpyvae.save_checkpoint(tmp_path / "c.npz", run)
    with pytest.raises(InputError, match="finite float32 numbers, as its sizes ask for"):
        load_checkpoint(tmp_path / "c.npz")
