// What all sections share: the model, the image, eps; and when to draw.

class State {
  constructor(data) {
    this.data = data;
    const { run } = data;
    this.settings = { ...run.settings };
    this.vae = new VAE(...run.sizes, run.reconstruction);
    this.vae.parameters.flat.set(data.weights);
    this.random = new Random(0);
    this.eps = this.random.normals([1, this.vae.z_dim]);
    this.patience = 300; // milliseconds between two pictures of a training
    this.version = 0;
    this.sections = [];
    this.trained = 0; // steps, here
    this.number = Math.max(0, run.test_labels?.indexOf(0) ?? 0);
    this.x = floats(data.test_images, [this.number]);
    this.encode_all();
    this.run();
  }

  get beta() {
    return this.settings.beta;
  }

  run() {
    this.loss = this.vae.forward(this.x, this.eps, this.beta);
    this.vae.backward();
  }

  // The array, or parameter, of this name.
  value(name) {
    if (name === "x" || name === "eps") return this[name];
    return (
      this.vae.activations[name] ??
      (name.includes(".parameters") ? undefined : this.vae.parameters[name])
    );
  }

  gradient(name) {
    if (name === "x") return this.vae.input_gradient();
    return this.vae.activation_gradients[name] ?? this.vae.gradients[name];
  }

  set_image(x, number) {
    this.x = x;
    this.number = number;
    this.changed();
  }

  set_test_image(number) {
    this.set_image(floats(this.data.test_images, [number]), number);
  }

  set_eps(eps) {
    this.eps = eps;
    this.changed();
  }

  encode_all() {
    const { test_images } = this.data;
    this.all ??= floats(test_images, Array.from({ length: test_images.shape[0] }, (_, i) => i));
    this.codes = this.vae.encode(this.all)[0];
  }

  weights_changed() {
    this.version += 1;
    this.encode_all();
    this.changed();
  }

  // Everything that can be seen is drawn again with the next frame.
  changed() {
    if (this.waiting) return;
    this.waiting = true;
    requestAnimationFrame(() => {
      this.waiting = false;
      this.draw();
    });
  }

  draw() {
    const height = window.innerHeight;
    this.update(({ place }) => {
      const box = place.getBoundingClientRect();
      return box.bottom > 0 && box.top < height;
    });
  }

  update(wanted) {
    const sections = this.sections.filter(wanted);
    this.loss = this.vae.forward(this.x, this.eps, this.beta);
    if (sections.some(({ backward }) => backward)) this.vae.backward();
    for (const { update } of sections) update();
  }

  // `backward`: the section shows gradients.
  add(selector, section, backward = false) {
    this.sections.push({ place: find(selector), update: section(this), backward });
  }
}

async function start() {
  const data = await read_data();
  paper_section(data);
  const state = new State(data);
  state.add("#look", look_section);
  state.add("#step", step_section);
  state.add("#nudge", nudge_section, true);
  state.add("#train", train_section);
  state.add("#mistake", mistake_section);
  state.draw();
  for (const section of state.sections) {
    // Later what can be seen is drawn, but nothing is ever blank.
    await new Promise((done) => setTimeout(done));
    state.update((other) => other === section);
  }
  for (const event of ["scroll", "resize"]) window.addEventListener(event, () => state.changed());
  window.addEventListener("beforeprint", () => state.update(() => true));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    known_colours = {};
    state.changed();
  });
  document.documentElement.dataset.ready = "yes";
  window.state = state; // for the console, and for tests
}

if (typeof document !== "undefined") start();
