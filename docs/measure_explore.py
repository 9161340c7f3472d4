"""Measures how fast a page of `numpyvae explore` is in Chromium.

    python docs/measure_explore.py FILE

prints the size of the file; the times of forward and backward on one image, of a frame while z is
dragged, and of the parts of a step of training at batch 32; and how many steps the page takes in a
second, drawing included. Times are medians, and in brackets the fastest tenth: where other programs
run, a part is often interrupted, and the second number is what it costs.
"""

import shutil
import sys
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

TIMES = """(work, count) => {
    const times = Array.from({ length: count }, (_, i) => {
        const start = performance.now();
        work(i);
        return performance.now() - start;
    }).sort((a, b) => a - b);
    return [times[Math.floor(count / 2)], times[Math.floor(count / 10)]];
}"""
FRAME = "(i) => { state.eps[0] = Math.sin(i); state.draw(); }"
TRAINER = """() => {
    const settings = { ...state.settings, batch_size: 32 };
    const vae = state.vae.astype(Float64Array);
    window.trainer = new Trainer(vae, state.data.train_images, settings);
    window.x = floats(state.data.train_images, Array.from({ length: 32 }, (_, i) => i));
    window.eps = new Random(1).normals([32, vae.z_dim]);
}"""
PARTS = {
    "forward and backward, one image": "() => state.run()",
    "a frame while z is dragged": FRAME,
    "training, 32 images: forward": "() => trainer.vae.forward(x, eps)",
    "training, 32 images: backward": "() => trainer.vae.backward()",
    "training, 32 images: Adam": "() => trainer.adam.step(trainer.vae.gradients)",
}
SECONDS = 10


def main() -> None:
    path = Path(sys.argv[1]).resolve()
    print(f"size: {path.stat().st_size / 1e6:.2f} MB")
    with sync_playwright() as playwright:
        chromium = shutil.which("chromium") or shutil.which("google-chrome")
        browser = playwright.chromium.launch(executable_path=chromium, chromium_sandbox=False)
        page = browser.new_page(viewport={"width": 1200, "height": 900})
        page.goto(path.as_uri())
        while not page.evaluate("document.documentElement.dataset.ready"):
            page.wait_for_timeout(100)
        page.evaluate("document.documentElement.style.scrollBehavior = 'auto'")
        show(page, "look")
        page.evaluate(TRAINER)
        for name, work in PARTS.items():
            page.evaluate(f"({TIMES})({work}, 20)")
            median, fast = page.evaluate(f"({TIMES})({work}, 100)")
            print(f"{name}: {median:.1f} ms ({fast:.1f})")
        show(page, "train")
        page.evaluate("state.settings.batch_size = 32")
        page.click("#train .go")
        page.wait_for_timeout(1000)
        before = steps(page)
        page.wait_for_timeout(1000 * SECONDS)
        print(f"steps of training per second: {(steps(page) - before) / SECONDS:.0f}")
        browser.close()


def show(page: Page, section: str) -> None:
    page.evaluate(f"document.getElementById('{section}').scrollIntoView()")
    page.wait_for_timeout(500)


def steps(page: Page) -> int:
    return int(page.inner_text("#train .status").split()[0])


if __name__ == "__main__":
    main()
