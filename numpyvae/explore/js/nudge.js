// Nudge it: move one number a little, and compare what the loss does with what the gradient says.

// The loss after one entry of an array was moved by h.
function nudged(vae, x, eps, beta, name, i, h) {
  if (name === "x") {
    const moved = shaped(x.slice(), x.shape);
    moved[i] += h;
    return vae.forward(moved, eps, beta).total;
  }
  if (name in vae.parameters.shapes) {
    const parameter = vae.parameters[name];
    const kept = parameter[i];
    parameter[i] += h;
    const loss = vae.forward(x, eps, beta).total;
    parameter[i] = kept;
    return loss;
  }
  return vae.forward(x, eps, beta, (reached, a) => {
    if (reached === name) a[i] += h;
  }).total;
}

function nudge_section(state) {
  const { data } = state;
  const shape = data.run.image_shape;
  const names = [
    "x",
    "a1",
    "h1",
    "a2",
    "h2",
    "mean",
    "log_var",
    "z",
    "a3",
    "h3",
    "a4",
    "h4",
    "logits",
  ];
  if (!state.vae.loss.takes_logits) names.push("y");
  const choice = element(
    "select",
    { change: () => choose(choice.value, 0) },
    element(
      "optgroup",
      { label: "pixels and activations" },
      ...names.map((name) => element("option", {}, name)),
    ),
    element(
      "optgroup",
      { label: "weights and biases" },
      ...state.vae.parameters.names.map((name) => element("option", {}, name)),
    ),
  );
  find("#nudge .choice").append(element("label", {}, "Array ", choice));
  let [name, exponent, sign] = ["z", -3, 1];
  choice.value = name;
  const map = new HeatMap(shape, {
    label: "Its gradient; arrow keys choose an entry",
    pointed: () => state.changed(),
  });
  find("#nudge .map").append(map.root);
  find("#nudge .choice").append(
    slider("Move it by", {
      min: -48,
      max: 0,
      start: -12,
      scale: (n) => n / 4,
      text: (power) => short(sign * 10 ** power),
      changed(power) {
        exponent = power;
        state.changed();
      },
    }),
    element(
      "label",
      {},
      element("input", {
        type: "checkbox",
        change: (event) => {
          sign = event.target.checked ? -1 : 1;
          const input = find("#nudge .slider input");
          input.dispatchEvent(new Event("input"));
        },
      }),
      " downwards",
    ),
  );
  function choose(chosen, i) {
    name = chosen;
    map.selected = i;
    state.changed();
  }

  let waiting = null;
  return function update() {
    const gradients = state.gradient(name);
    map.show(name, gradients);
    map.select(Math.min(map.selected, gradients.length - 1));
    const i = map.selected;
    const g = gradients[i];
    const value = state.value(name)[i];
    const h = sign * 10 ** exponent;
    const { vae, x, eps, beta } = state;
    const before = state.loss.total;
    const after = nudged(vae, x, eps, beta, name, i, h);
    state.run();
    const where = place_text(name, gradients.shape, i, shape);
    find("#nudge .where").textContent =
      `${name}[${where}] = ${short(value)}, its gradient is ${short(g)}`;
    const rows = [
      ["the loss before", before.toPrecision(15)],
      ["the loss after", after.toPrecision(15)],
      ["it changed by", short(after - before)],
      ["the gradient says: gradient × step", short(g * h)],
      ["difference of the two", short(after - before - g * h)],
    ];
    find("#nudge .numbers").replaceChildren(
      ...rows.map(([text, number]) =>
        element(
          "tr",
          {},
          element("th", { scope: "row" }, text),
          element("td", {}, number.replaceAll("-", "−")),
        ),
      ),
    );
    clearTimeout(waiting);
    waiting = setTimeout(() => {
      const single = vae.astype(Float32Array);
      const as_single = (a) => shaped(Float32Array.from(a), a.shape);
      const [x32, eps32] = [as_single(x), as_single(eps)];
      const error = (model, images, noise, size) => {
        const base = nudged(model, images, noise, beta, name, i, 0);
        const moved = nudged(model, images, noise, beta, name, i, sign * size) - base;
        return Math.abs(moved / (sign * size) - g);
      };
      const sizes = Array.from({ length: 49 }, (_, n) => 10 ** (n / 4 - 12));
      const floor = 1e-17 * Math.max(1, Math.abs(g));
      const curve = (model, images, noise) =>
        sizes.map((size) => [size, Math.max(floor, error(model, images, noise, size))]);
      const doubles = curve(vae, x, eps);
      plot(
        find("#nudge .error"),
        [
          { name: "float64", colour: colour("negative"), points: doubles },
          {
            name: "float32",
            colour: colour("positive"),
            dash: [6, 4],
            points: curve(single, x32, eps32),
          },
        ],
        {
          x_log: true,
          y_log: true,
          x_label: "size of the step",
          y_label: "error",
          mark: [Math.abs(h), Math.max(floor, error(vae, x, eps, Math.abs(h)))],
          label:
            "How far change / step lies from the gradient, for every size of step: it falls with the step until rounding takes over",
        },
      );
      const reach = Math.max(1, 2 * Math.abs(h));
      const along = Array.from({ length: 81 }, (_, n) => reach * (n / 40 - 1));
      plot(
        find("#nudge .curve"),
        [
          {
            name: "the loss",
            colour: colour("negative"),
            points: along.map((d) => [value + d, nudged(vae, x, eps, beta, name, i, d)]),
          },
          {
            name: "what the gradient says",
            colour: colour("positive"),
            dash: [6, 4],
            points: along.map((d) => [value + d, before + g * d]),
          },
        ],
        {
          x_label: `${name}[${i}]`,
          y_label: "loss",
          mark: [value + h, after],
          label: "The loss along this number, and the straight line that the gradient draws",
        },
      );
      state.run();
    }, 120);
  };
}
