"""The page in Chromium: everything that can be done on it, done."""

from dataclasses import replace

import numpy as np
import pytest

from numpyvae.explore.page import BOOK, fill, run_data
from reference_torch.proof.deliberate_errors import ERRORS

SECTIONS = ("paper", "look", "step", "nudge", "train", "mistake")


@pytest.fixture(scope="module")
def run(make_run):
    return make_run()


@pytest.fixture(scope="module")
def opened(open_page, run):
    opened = open_page(run)
    yield opened
    assert opened.errors == []
    assert [url for url in opened.asked if not url.startswith("file:")] == []


@pytest.fixture
def live(opened):
    """The page as it was when it was opened, but for what is drawn."""
    opened.evaluate("""() => {
        document.documentElement.style.scrollBehavior = "auto";
        state.vae.parameters.flat.set(state.data.weights);
        state.weights_changed();
        state.set_test_image(0);
        state.set_eps(like(state.eps));
    }""")
    return opened


def show(opened, section):
    """Brings a section into view, where it is drawn."""
    opened.evaluate(f"document.getElementById('{section}').scrollIntoView()")
    frame(opened)


def frame(opened):
    """Waits until what changed is drawn."""
    opened.evaluate("() => new Promise((done) => requestAnimationFrame(() => setTimeout(done)))")


def numbers(opened, text):
    return np.array(opened.evaluate(f"Array.from({text})"), float)


def test_the_page_computes_what_numpyvae_computes(live, run, digits):
    live.evaluate("state.set_eps(shaped(Float64Array.of(0.5, -1.25), [1, 2])); state.run()")
    vae = run.vae.astype(np.float64)
    x = digits.test_images[:1] / 255
    loss = vae.forward(x, np.array([[0.5, -1.25]]), run.config.beta)
    found = live.evaluate("state.loss")
    np.testing.assert_allclose(list(found.values()), loss, rtol=1e-12)
    for name, gradient in vae.backward().items():
        shown = numbers(live, f"state.vae.gradients['{name}']")
        np.testing.assert_allclose(shown, gradient.ravel(), rtol=1e-12, atol=1e-12)
    sums = live.evaluate("['train_images', 'test_images'].map("
                         "(name) => state.data[name].reduce((a, b) => a + b, 0))")  # fmt: skip
    assert sums == [digits.train_images.sum(), digits.test_images[:300].sum()]  # as many as it has


def test_the_network_on_paper_step_by_step(live):
    show(live, "paper")
    boxes = "#paper .graph .box"
    assert live.locator(boxes).count() == 25
    assert live.locator("#paper-steps details[open]").count() == 0  # do it on paper first
    assert "y and logits" in live.inner_text("#paper-steps summary >> nth=0")
    live.focus("#paper .next")
    for step in range(1, 12):
        live.keyboard.press("ArrowRight")
        asked = live.locator(boxes).all_inner_texts()
        assert any(text.endswith("?") for text in asked)
        assert live.inner_text("#paper .status") == f"Step {step} of 11"
        current = live.locator("#paper-steps [aria-current]")
        assert current.count() == 1
        assert live.evaluate("[...document.querySelectorAll('#paper-steps li')].findIndex("
                             "(item) => item.ariaCurrent === 'step')") == step - 1  # fmt: skip
    live.click("#paper-steps summary >> nth=10")
    frame(live)
    texts = live.locator(boxes).all_inner_texts()
    assert not any("?" in text for text in texts)
    gradients = [text.split("G ")[1] for text in texts if "G " in text]
    assert {"2.5", "0.75, 0.75", "−1.5, −0.5", "−0.25", "1.5"} <= set(gradients)
    assert live.get_attribute("#paper .next", "aria-disabled") == "true"
    live.focus("#paper .next")
    live.keyboard.press("Home")
    assert "dL/dL = 1" in live.inner_text("#paper .status")


def test_draw_an_image(live):
    show(live, "look")
    live.uncheck("#look .placed")
    live.click("#look .clear")
    frame(live)
    empty = live.inner_text("#look .losses")
    box = live.locator("#look .pad canvas").bounding_box()
    live.mouse.move(box["x"] + 100, box["y"] + 60)
    live.mouse.down()
    live.mouse.move(box["x"] + 100, box["y"] + 190, steps=12)
    live.mouse.up()
    frame(live)
    x = numbers(live, "state.x").reshape(28, 28)
    assert x[7:21, 10:12].min() > 0.5
    assert x[:, 20:].max() == 0
    assert live.inner_text("#look .losses") != empty
    assert "x is drawn" in live.inner_text("#look .picker")
    live.check("#look .placed")  # the digits fill rows 2 to 25, and their middle is column 14
    frame(live)
    ink = numbers(live, "state.x").reshape(28, 28) > 0.1
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    assert (rows[0], rows[-1]) == (2, 25)
    assert abs(columns.mean() + 0.5 - 14.3) < 1
    live.click("#look .thumb >> nth=3")
    frame(live)
    assert "a 3" in live.inner_text("#look .picker")


def test_drag_z_over_the_plane(live):
    show(live, "look")
    box = live.locator("#look .plane").bounding_box()
    live.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 0.5 * box["height"])
    live.mouse.down()
    frame(live)
    np.testing.assert_allclose(numbers(live, "state.vae.activations.z"), 0, atol=0.05)
    before = numbers(live, "state.vae.activations.y")
    live.mouse.move(box["x"] + 0.7 * box["width"], box["y"] + 0.3 * box["height"], steps=5)
    live.mouse.up()
    frame(live)
    z = numbers(live, "state.vae.activations.z")
    assert z[0] > 0.5
    assert z[1] > 0.5
    assert abs(numbers(live, "state.vae.activations.y") - before).max() > 1e-3
    mean, log_var = (numbers(live, f"state.vae.activations.{name}") for name in ("mean", "log_var"))
    np.testing.assert_allclose(mean + np.exp(log_var / 2) * numbers(live, "state.eps"), z)
    live.click("#look .zero")
    frame(live)
    np.testing.assert_allclose(numbers(live, "state.vae.activations.z"), mean)
    live.check("#look .over")
    frame(live)
    live.uncheck("#look .over")
    live.click("#look .anew")
    frame(live)
    assert numbers(live, "state.eps").all()


@pytest.mark.parametrize("reconstruction", ["mse", "bce"])
def test_step_through_the_whole_backward_pass(live, open_page, make_run, wait, reconstruction):
    opened = live if reconstruction == "mse" else open_page(make_run(reconstruction="bce"))
    show(opened, "step")
    steps = 18 if reconstruction == "mse" else 17
    wait(opened, f"document.querySelector('#step .status').textContent.includes('of {steps}')")
    opened.focus("#step .next")
    lit, equations = [], []
    for step in range(1, steps + 1):
        opened.keyboard.press("ArrowRight")
        assert opened.inner_text("#step .status").startswith(f"Step {step} of {steps}")
        lit.append(opened.locator("#step .line.lit").all_inner_texts())
        equations += opened.locator("#step .formula .number").all_inner_texts()
        assert opened.locator("#step .formula math").count() == opened.locator(".result").count()
        assert all(" = " in words for words in opened.locator("#step .words").all_inner_texts())
        assert opened.locator("#step .edge.lit").count()
    code = [" ".join(line.strip() for line in lines) for lines in lit]
    assert len(set(code)) == steps
    assert code[-2].startswith('self._linear_backward_parameters("encoder1"')
    assert code[-1] == "return through_encoder + through_loss"
    used = {f"(B{n})" for n in range(2, 19)} - {"(B5)", "(B7)"}
    assert set(equations) == used - ({"(B10)"} if reconstruction == "mse" else {"(B8)", "(B9)"})
    assert opened.errors == []
    if opened is not live:
        opened.close()


def test_where_two_paths_meet_both_summands_are_shown(live):
    show(live, "step")
    live.click("#step .box:has-text('h2') >> nth=0")
    frame(live)
    assert "log_var.weight, log_var.bias, h2" in live.inner_text("#step .status")
    captions = live.locator("#step .result >> nth=2 >> figcaption").all_inner_texts()
    assert [caption.split(",")[0] for caption in captions] == [
        "through mean", "through log_var", "G h2"
    ]  # fmt: skip
    words = live.locator("#step .words >> nth=2")
    largest = abs(numbers(live, "state.gradient('h2')")).argmax()
    assert words.inner_text().startswith(f"G h2[{largest}] = ")
    live.locator("#step .result >> nth=2 >> canvas >> nth=2").focus()
    step = 1 if largest == 0 else -1
    live.keyboard.press("ArrowRight" if step > 0 else "ArrowLeft")
    assert words.inner_text().startswith(f"G h2[{largest + step}] = ")


def test_with_several_images_weights_get_sums_over_them(live, run, digits):
    show(live, "step")
    live.locator("#step .batch input").fill("1")  # two images
    live.click("#step .box:has-text('decoder3')")
    frame(live)
    live.focus("#step .result >> nth=0 >> .maps > figure >> nth=-1 >> canvas")
    words = live.locator("#step .words").all_inner_texts()
    assert all("the sum" in text for text in words)  # of two terms, or of all outputs
    assert "G logits[0, " in words[0]
    assert "G logits[1, " in words[0]
    found = numbers(live, "state.batch.vae.gradients['decoder3.weight']")
    vae = run.vae.astype(np.float64)
    x = np.concatenate([digits.test_images[:1], digits.train_images[:1]]) / 255
    eps = numbers(live, "state.batch.eps").reshape(2, 2)
    vae.forward(x, eps, run.config.beta)
    expected = vae.backward()["decoder3.weight"].ravel()
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)
    live.locator("#step .batch input").fill("0")
    frame(live)


def test_the_average_over_draws(live, wait):
    show(live, "step")
    live.click("#step .box:has-text('log_var') >> nth=1")
    frame(live)
    live.locator("#step .draws input").fill("0")  # ten
    live.click("#step .average")
    wait(live, "document.querySelector('#step .drawn').textContent === '10 draws'")
    rows = live.locator("#step .estimators table >> nth=0 >> tr")
    names = [text.split("\t")[0] for text in rows.all_inner_texts()]
    assert names == ["estimator", *live.evaluate("Object.keys(ESTIMATORS)")]
    assert all(" ± " in text for text in rows.all_inner_texts()[1:])
    live.click("#step .next")  # the next step has averages of its own
    wait(live, "document.querySelector('#step .drawn').textContent === '10 draws'")
    heads = live.locator("#step .estimators h4").all_inner_texts()
    assert heads == [text.split(" (")[0] for text in live.locator("#step h4").all_inner_texts()
                     if "(" in text]  # fmt: skip


def test_after_a_collapse_the_page_says_what_beta_is(live, wait):
    show(live, "train")
    live.locator("#train .controls input").nth(0).fill("12")
    live.click("#train .go")
    wait(live, "document.querySelector('#train .status').textContent.includes('collapsed')")
    live.click("#train .go")
    assert "beta is 100. The KL divergence is " in live.inner_text("#train .status")
    show(live, "look")
    assert "beta is 100" in live.inner_text("#look .since")
    assert "trained here for" in live.inner_text("#look .since")
    live.evaluate("state.settings.beta = state.data.run.settings.beta")
    show(live, "train")
    live.click("#train .trained")
    frame(live)
    show(live, "look")
    assert live.inner_text("#look .since") == ""


def test_nothing_is_blank_and_no_text_runs_out_of_its_box(open_page, make_run, wait):
    opened = open_page(make_run())
    out = opened.evaluate("""() => {
        const out = (e) => e.scrollWidth > e.clientWidth || e.scrollHeight > e.clientHeight;
        const boxes = [...document.querySelectorAll(".box")];
        document.querySelector("#paper .next").click();
        for (const step of ["#paper", "#step"]) {
            for (let i = 0; i < 20; i++) document.querySelector(`${step} .next`).click();
        }
        return boxes.filter(out).map((e) => e.innerText);
    }""")
    assert out == []
    wait(  # nudge's plots take a moment
        opened,
        """[...document.querySelectorAll("canvas")].every((canvas) => canvas.getContext("2d")
            .getImageData(0, 0, canvas.width, canvas.height).data.some(Boolean))""",
    )
    opened.close()


@pytest.mark.parametrize("name", ["z", "x", "a1", "h4", "encoder2.weight", "decoder3.bias"])
def test_nudge_it(live, wait, name):
    show(live, "nudge")
    live.select_option("#nudge select", name)
    frame(live)
    live.focus("#nudge .map canvas")
    live.keyboard.press("ArrowRight")
    frame(live)
    rows = live.locator("#nudge .numbers td").all_inner_texts()
    before, after, change, promised, difference = (float(row.replace("−", "-")) for row in rows)
    assert change == pytest.approx(after - before, rel=5e-3)  # three digits are shown
    assert change == pytest.approx(promised, rel=0.05, abs=1e-6)
    assert abs(difference) <= max(0.05 * abs(change), 1e-6)
    wait(live, "document.querySelector('#nudge .error').ariaLabel.includes('rounding')")


def test_train_some_steps_and_go_back(live, wait):
    show(live, "train")
    live.click("#train .random")
    frame(live)
    live.click("#train .one")
    frame(live)
    text = live.inner_text("#train .status")
    assert text.startswith("1 steps, loss per image ")
    first = float(text.split(",")[1].split()[-1])
    live.click("#train .go")
    wait(live, "parseInt(document.querySelector('#train .status').textContent) > 40")
    live.click("#train .go")
    frame(live)
    stopped = live.inner_text("#train .status")
    assert float(stopped.split(",")[1].split()[-1]) < 0.7 * first
    live.wait_for_timeout(100)
    assert live.inner_text("#train .status") == stopped
    assert not (
        numbers(live, "state.vae.parameters.flat") == numbers(live, "state.data.weights")
    ).all()
    live.click("#train .trained")
    frame(live)
    assert (numbers(live, "state.vae.parameters.flat") == numbers(live, "state.data.weights")).all()
    live.locator("#train .controls input").nth(0).fill("9")
    frame(live)
    assert live.evaluate("state.beta") == 5


def test_plant_a_mistake(live, wait):
    show(live, "mistake")
    live.evaluate("state.settings.beta = 0.7; state.changed()")
    options = live.locator("#mistake option").all_inner_texts()
    assert [option.split(". ", 1)[1].split(" (needs")[0] for option in options] == [
        error.name for error in ERRORS
    ]
    for number, error in list(enumerate(ERRORS))[::4]:  # V8 sees all of them in the other tests
        if error.reconstruction == "mse":
            live.select_option("#mistake select", str(number))
            frame(live)
            bad = live.locator("#mistake tr.bad th").all_inner_texts()
            assert set(bad) == (set() if error.in_adam else set(error.caught)), error.name
    live.select_option("#mistake select", "5")
    assert "np.random.standard_normal" in live.inner_text("#mistake .lines")
    live.click("#mistake .go")
    wait(live, "parseInt(document.querySelector('#mistake .status').textContent) > 10")
    live.click("#mistake .go")
    live.click("#mistake .again")
    frame(live)
    assert live.inner_text("#mistake .status").startswith("0 steps")


def test_fifty_latent_units(open_page, make_run):
    opened = open_page(make_run(z_dim=50))
    show(opened, "look")
    assert opened.locator("#look .units select").count() == 2
    before = numbers(opened, "state.eps")
    opened.select_option("#look .units select >> nth=0", "7")
    opened.select_option("#look .units select >> nth=1", "9")
    frame(opened)
    opened.focus("#look .plane")
    for _ in range(100):  # until the plane is drawn, it hears no key
        opened.keyboard.press("ArrowLeft")
        opened.keyboard.press("Shift+ArrowUp")
        frame(opened)
        moved = np.flatnonzero(numbers(opened, "state.eps") != before).tolist()
        if len(moved) == 2:
            break
    assert moved == [7, 9]
    for section in SECTIONS:
        show(opened, section)
    assert opened.errors == []
    opened.close()


def test_one_latent_unit_and_images_of_another_size_without_labels(open_page, make_run, tiny):
    from numpyvae import Config, Run

    run = Run.start(Config(dataset="tiny", hidden=(6, 5), z_dim=1), tiny.image_shape)
    opened = open_page(run, tiny)
    for section in SECTIONS:
        show(opened, section)
    opened.click("#train .one")
    opened.focus("#look .plane")
    opened.keyboard.press("ArrowRight")
    frame(opened)
    assert opened.errors == []
    opened.close()


def test_everything_can_be_reached_and_done_by_keyboard(live):
    unreachable, nameless = live.evaluate("""() => {
        const all = [...document.querySelectorAll("a, button, input, select, pre, canvas")];
        const acts = (e) => !e.matches("canvas:not([role=application])");
        const named = (e) => e.ariaLabel || e.innerText?.trim() || e.labels?.length || e.ariaHidden;
        return [all.filter((e) => acts(e) && e.tabIndex !== 0), all.filter((e) => !named(e))].map(
            (found) => found.map((e) => e.outerHTML.slice(0, 200)));
    }""")
    assert unreachable == []
    assert nameless == []
    live.focus("#look .clear")
    for expected in ("placed", "thumb", "thumb"):
        live.keyboard.press("Tab")
        assert live.evaluate("document.activeElement.className") == expected
    live.keyboard.press("Enter")
    frame(live)
    assert "a 1" in live.inner_text("#look .picker")
    show(live, "look")
    live.click("#look .clear")
    live.focus("#look .pad canvas")
    for key in ("ArrowDown", "ArrowRight", "ArrowRight", "Space"):
        live.keyboard.press(key)
    frame(live)
    assert live.evaluate("state.x.some((value) => value === 1)")
    live.uncheck("#look .placed")
    frame(live)
    assert numbers(live, "state.x").reshape(28, 28)[1, 2] == 1
    live.check("#look .placed")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_a_phone_nothing_is_cut_and_all_can_be_read(open_page, run, scheme):
    opened = open_page(run, width=400, color_scheme=scheme, has_touch=True)
    opened.evaluate("document.documentElement.style.scrollBehavior = 'auto'")
    for section in SECTIONS:
        show(opened, section)
    show(opened, "step")
    for _ in range(9):
        opened.click("#step .next")
    assert opened.evaluate("document.documentElement.scrollWidth") == 400
    for down in (0, 900):  # Next and what it brings are seen together, wherever one has scrolled to
        opened.evaluate(f"scrollBy(0, {down})")
        opened.click("#step .next")
        frame(opened)
        button, result = (
            opened.locator(place).bounding_box()["y"]
            for place in ("#step .next", "#step h4 >> nth=0")
        )
        assert 0 <= button < result < 700
    cut, small = opened.evaluate("""() => {
        const shown = [...document.querySelectorAll("main *, header *")].filter(
            (e) => e.checkVisibility() && !e.closest("math, pre, svg"));
        return [
            shown.filter((e) => e.getBoundingClientRect().right > 400.5).map((e) => e.outerHTML),
            shown.filter((e) => parseFloat(getComputedStyle(e).fontSize) < 13 &&
                [...e.childNodes].some((n) => n.nodeType === 3)).map((e) => e.outerHTML),
        ];
    }""")
    assert cut == []
    assert small == []
    assert contrast(opened, "--ink", "--paper") > 7
    for name in ("--quiet", "--positive" if scheme == "dark" else "--focus"):
        assert contrast(opened, name, "--panel") > 4.5
    for colour in ("--positive", "--negative", "--faint", *(f"--class{n}" for n in range(10))):
        assert contrast(opened, colour, "--paper") > 3
    assert opened.errors == []
    opened.close()


def contrast(opened, *names):
    """As the Web Content Accessibility Guidelines define it."""
    lightness = []
    for name in names:
        text = opened.evaluate(
            f"getComputedStyle(document.documentElement).getPropertyValue('{name}').trim()"
        )
        rgb = np.array([int(text[i : i + 2], 16) for i in (1, 3, 5)]) / 255
        linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
        lightness.append(linear @ [0.2126, 0.7152, 0.0722])
    low, high = sorted(lightness)
    return (high + 0.05) / (low + 0.05)


def test_without_javascript_a_sentence_says_so(open_page, run):
    opened = open_page(run, java_script_enabled=False)
    assert "JavaScript is off" in opened.inner_text("noscript")
    opened.close()


MARKUP = "</script><script>alert(1)</script><img src=x onerror=alert(2)>\"'&<!--"


def test_names_full_of_markup_stay_names(open_page, make_run, digits):
    name = MARKUP.replace("/", "")
    run = make_run(dataset=name)
    data = replace(digits, name=name, label_names=(MARKUP,) * 10)
    opened = open_page(run, data)
    assert opened.inner_text("#look .picker").endswith(f": {MARKUP}")
    assert opened.inner_text("#look em") == name
    assert opened.locator("script").count() == 2
    assert opened.locator("main img, header img").count() == 0
    opened.wait_for_timeout(100)
    assert opened.errors == []
    opened.close()


def test_no_text_of_a_run_can_become_code(make_run, digits):
    known = run_data(make_run(), digits)
    known["dataset"] = MARKUP
    known["images"] = MARKUP
    known["label_names"] = [MARKUP] * 10
    text = fill(known)
    assert text.count("</script>") == 2
    assert text.count("<script") == 2
    assert "<img" not in text
    scripts = "".join(path.read_text() for path in BOOK.parent.glob("js/*.js"))
    for way in ("innerHTML", "outerHTML", "insertAdjacent", "document.write", "eval(", "Function("):
        assert way not in scripts
