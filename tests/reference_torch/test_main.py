"""The command ``python -m reference_torch``."""

import pytest

from reference_torch.__main__ import COMMANDS, main


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_explains(call, command):
    status, out, _ = call(main, f"{command} --help")
    assert status == 0
    assert out.startswith(f"usage: python -m reference_torch {command}".rstrip())


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("compare --dataset nope", "unknown data set nope"),
        ("compare --epochs 0", "epochs must be"),
        ("compare --out .", "argument --out: . must end in .png"),
        ("compare --dtype float16", "invalid choice: 'float16'"),
        ("bench --rounds 0", "--rounds must be"),
        ("bench --dataset nope", "unknown data set nope"),
        ("bench --no-growth --plot g.png", "--plot draws what --no-growth leaves out"),
        ("gradcheck own.npz", "no numpyvae checkpoint"),
        ("gradcheck own.npz --z-dim 3", "leave out --z-dim: the checkpoint has its own"),
        ("gradcheck --image-size 0 1", "--image-size must be at least 1 1, got 0 1"),
        ("train --epochs 0", "epochs must be"),
        ("fly", "invalid choice"),
    ],
)
def test_a_users_mistake_is_one_line_and_status_2(own_folder, assert_mistake, line, message):
    assert_mistake(main, line, message)
