// Train it here: the page's own model, with the page's own backward pass and Adam.

class Trainer {
  constructor(vae, images, settings, seed = 1, mistake = null) {
    Object.assign(this, { vae, images, settings });
    this.random = new Random(seed);
    this.restart();
    if (mistake) plant(mistake, vae, this.adam);
  }

  restart() {
    const { lr, weight_decay } = this.settings;
    this.adam = new Adam(this.vae.parameters, { lr, weight_decay });
    this.order = [];
  }

  // One step; returns the loss per image.
  step() {
    const { batch_size, beta, noise, binarize, lr } = this.settings;
    this.adam.lr = lr;
    if (!this.order.length) this.order = this.random.permutation(this.images.shape[0]);
    const x = floats(this.images, this.order.splice(0, batch_size), this.vae.Type);
    if (binarize) for (let i = 0; i < x.length; i++) x[i] = this.random.uniform() < x[i] ? 1 : 0;
    const shape = [x.shape[0], this.vae.z_dim];
    const eps = noise ? this.random.normals(shape, this.vae.Type) : array(shape, this.vae.Type);
    const loss = this.vae.forward(x, eps, beta);
    this.adam.step(this.vae.backward());
    return loss.total / x.shape[0];
  }
}

// Calls `work` so many times a second, or as often as there is time, until `stop()`. `drawn` is
// called about once per frame.
function repeating(work, speed, drawn) {
  let on = true;
  let last = performance.now();
  let due = 1; // times
  const frame = () => {
    if (!on) return;
    const now = performance.now();
    const rate = speed();
    due = Number.isFinite(rate) ? Math.min(due + ((now - last) / 1000) * rate, rate) : rate;
    last = now;
    const before = due;
    while (on && due >= 1 && performance.now() < now + 45) {
      work();
      due -= 1;
    }
    if (before >= 1) drawn();
    if (on) requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
  return { stop: () => (on = false) };
}

// A curve of losses, thinned: at most so many points, each the mean of its share.
function thinned(losses, most = 300) {
  const share = Math.max(1, Math.ceil(losses.length / most));
  const points = [];
  for (let start = 0; start < losses.length; start += share) {
    const part = losses.slice(start, start + share);
    points.push([start + part.length, part.reduce((sum, loss) => sum + loss, 0) / part.length]);
  }
  return points;
}

// The losses per image on so many test images, with the same noise each time.
function test_losses(vae, data, settings, count = 100) {
  const numbers = Array.from({ length: Math.min(count, data.test_images.shape[0]) }, (_, i) => i);
  const x = floats(data.test_images, numbers);
  const shape = [numbers.length, vae.z_dim];
  const eps = settings.noise ? new Random(3).normals(shape) : array(shape);
  const loss = vae.forward(x, eps, settings.beta);
  return Object.fromEntries(Object.entries(loss).map(([name, sum]) => [name, sum / x.shape[0]]));
}

// What a KL divergence per image says, where it is next to nothing.
function collapse(kl) {
  return kl < 0.05
    ? `The KL divergence is ${short(kl)} per image: the clouds have collapsed into the prior, and z says nothing about x.`
    : "";
}

const BETAS = [0, 0.01, 0.03, 0.1, 0.3, 0.5, 1, 2, 3, 5, 10, 30, 100];
const RATES = [1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 2e-3, 3e-3, 1e-2, 3e-2, 1e-1];
const BATCHES = [1, 2, 4, 8, 16, 32, 64, 128];
const SPEEDS = [1, 5, 20, 60, Infinity];

function choice_slider(label, values, value, changed, text = short) {
  const sorted = values.includes(value) ? values : [...values, value].sort((a, b) => a - b);
  return slider(label, {
    min: 0,
    max: sorted.length - 1,
    start: sorted.indexOf(value),
    scale: (n) => sorted[n],
    text,
    changed,
  });
}

function train_section(state) {
  const { data, settings } = state;
  const shape = data.run.image_shape;
  const trainer = new Trainer(state.vae, data.train_images, settings);
  let [losses, tests, test_kl, speed, running] = [[], [], null, Infinity, null];

  const controls = find("#train .controls");
  controls.append(
    choice_slider("beta", BETAS, settings.beta, (beta) => {
      settings.beta = beta;
      state.changed();
    }),
    choice_slider("lr", RATES, settings.lr, (lr) => (settings.lr = lr)),
    choice_slider(
      "batch size",
      BATCHES,
      settings.batch_size,
      (size) => (settings.batch_size = size),
    ),
    choice_slider(
      "speed",
      SPEEDS,
      speed,
      (chosen) => (speed = chosen),
      (n) => (Number.isFinite(n) ? `${n} steps per second` : "as fast as it can"),
    ),
    element(
      "label",
      {},
      element("input", {
        type: "checkbox",
        checked: settings.noise,
        change: (event) => (settings.noise = event.target.checked),
      }),
      " noise (without it eps is 0)",
    ),
  );

  const button = find("#train .go");
  const one = () => {
    const loss = trainer.step();
    if (!Number.isFinite(loss)) {
      stop();
      find("#train .status").textContent = "The loss is not finite any more: start again.";
    }
    losses.push(loss);
    state.trained = losses.length;
  };
  function stop() {
    running?.stop();
    running = null;
    button.textContent = "Train";
  }
  let looked = 0;
  function drawn(at_once = false) {
    const now = performance.now();
    if (at_once !== true && now - looked < state.patience) return;
    const begun = performance.now();
    if (losses.length) {
      const { total, kl } = test_losses(state.vae, data, settings);
      tests.push([losses.length, total]);
      test_kl = kl;
    }
    state.weights_changed();
    looked = performance.now();
    state.patience = Math.max(300, 8 * (looked - begun));
  }
  button.addEventListener("click", () => {
    if (running) {
      stop();
      drawn(true);
    } else {
      button.textContent = "Pause";
      running = repeating(one, () => speed, drawn);
    }
  });
  find("#train .one").addEventListener("click", () => {
    one();
    drawn(true);
  });
  const restart = (fill) => {
    stop();
    fill();
    trainer.restart();
    [losses, tests, state.trained] = [[], [], 0];
    drawn(true);
  };
  let seed = 1;
  find("#train .random").addEventListener("click", () =>
    restart(() => state.vae.initialize(new Random((seed += 1)))),
  );
  find("#train .trained").addEventListener("click", () =>
    restart(() => state.vae.parameters.flat.set(data.weights)),
  );

  const plane = new Plane(find("#train .plane"), { height: 300 });
  const samples = new HeatMap(shape, {
    label: "Eight samples: latent vectors from the prior, decoded",
    width: 340,
  });
  const pairs = new HeatMap(shape, {
    label: "Four test images above their reconstructions",
    width: 340,
  });
  find("#train .samples").append(samples.root);
  find("#train .pairs").append(pairs.root);
  const z = new Random(7).normals([8, state.vae.z_dim]);
  const some = floats(
    data.test_images,
    [0, 1, 2, 3].map((i) => i % data.test_images.shape[0]),
  );

  let codes = null;
  return function update() {
    if (codes !== state.codes) {
      codes = state.codes;
      if (state.vae.z_dim > 2) plane.units = most_active(codes);
      plane.show_codes(codes, data.run);
    }
    plane.draw(null);
    samples.show("y", state.vae.decode(z), { grey: true });
    const both = array([8, state.vae.x_dim]);
    both.set(some);
    both.set(state.vae.decode(state.vae.encode(some)[0]), some.length);
    pairs.show("y", both, { grey: true });
    const step_text = `${losses.length} steps`;
    const loss = losses.length ? `, loss per image ${short(thinned(losses).at(-1)[1])}` : "";
    const test = tests.length ? `, on test images ${short(tests.at(-1)[1])}` : "";
    const now = tests.length ? `; beta is ${short(settings.beta)}. ${collapse(test_kl)}` : "";
    if (losses.every(Number.isFinite))
      find("#train .status").textContent = step_text + loss + test + now;
    plot(
      find("#train .loss"),
      [
        { name: "training", colour: colour("negative"), points: thinned(losses) },
        { name: "test", colour: colour("positive"), dash: [6, 4], points: tests },
      ],
      {
        x_label: "steps",
        y_label: "loss per image",
        label: `The loss curve: ${step_text}${loss}${test}`,
      },
    );
  };
}
