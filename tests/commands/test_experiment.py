"""``numpyvae experiment``."""

from pathlib import Path

from numpyvae import Config, load_checkpoint


def test_the_command_of_a_report_makes_it(numpyvae):
    line = "experiment beta --dataset own.npz --epochs 1 --seed 3"
    status, out, _ = numpyvae(f"{line} --values 2 0.25")
    folder = Path("runs/experiment-beta-own")
    assert status == 0
    assert f"{folder}/report.md" in out
    assert f"    numpyvae {line} --values 0.25 2\n" in (folder / "report.md").read_text()
    expected = Config(dataset="own.npz", epochs=1, seed=3, beta=2.0)
    assert load_checkpoint(folder / "beta-2").config == expected
    status, _, err = numpyvae(line.replace("--seed 3", "--seed 4"))
    assert status == 2
    assert "seed 3, not 4" in err
