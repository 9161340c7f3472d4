"""``python -m reference_torch bench``."""

import json

from reference_torch.__main__ import main
from reference_torch.speed import bench, contenders
from reference_torch.speed.contenders import DEFAULT, FUSED, NUMPY, PARTS, PRODUCTS, Sizes


def test_bench_reports_tables_json_and_plot(call, own_folder, monkeypatch):
    monkeypatch.setattr(bench, "BATCH_SIZES", (2,))
    monkeypatch.setattr(contenders, "STEPS", 1)
    monkeypatch.setattr(contenders, "REST", 0)
    growing = {"batch size": {2: Sizes(2), 4: Sizes(4)}}
    monkeypatch.setattr(bench, "growing_sizes", lambda: growing)
    line = "bench --rounds 1 --no-compile --dataset own.npz --json b.json --plot g.png"
    status, out, _ = call(main, line)
    assert status == 0
    results = json.loads((own_folder / "b.json").read_text())
    times = results["milliseconds per step"]["2"]
    assert set(PARTS) | {NUMPY, PRODUCTS, DEFAULT, FUSED} <= set(times)
    assert f"{times[DEFAULT] / times[NUMPY]:13.2f}" in out
    assert results["epochs"]["NumPy"]["seconds"] > 0
    assert results["epochs"]["PyTorch, CPU"]["peak MiB"] > results["epochs"]["NumPy"]["peak MiB"]
    assert "batch size" in out
    assert (own_folder / "g.png").exists()
