// Look at the model: an image goes in, everything on its way can be seen, z can be dragged.

function look_section(state) {
  const { data } = state;
  const shape = data.run.image_shape;
  const z_dim = state.vae.z_dim;

  // The image: drawn, or a test image.
  const usual = usual_box(data.train_images, shape);
  const place = find("#look .placed");
  const pad = new Pad(shape, () => {
    const { strokes } = pad;
    const here = place.checked && strokes.length ? placed(strokes, usual, shape) : strokes;
    state.set_image(brushed(here, shape), null);
  });
  find("#look .pad").append(pad.map.root);
  find("#look .clear").addEventListener("click", () => pad.set([]));
  place.addEventListener("change", () => state.number === null && pad.set(pad.strokes));
  const shown_x = new HeatMap(shape, { label: "The image x", width: 160 });
  find("#look .in").append(shown_x.root);

  const count = data.test_images.shape[0];
  const labels = data.run.test_labels;
  const article = data.run.label_names ? "" : "a ";
  const what = (n) => `${article}${label_name(data.run, labels[n])}`;
  const picker = slider("Test image", {
    min: 0,
    max: count - 1,
    start: state.number,
    text: (n) =>
      state.number === null ? "none: x is drawn" : labels ? `${n}: ${what(n)}` : `${n}`,
    changed: (n) => state.set_test_image(n),
  });
  find("#look .picker").append(picker);
  const firsts = labels
    ? [...new Set(labels)]
        .sort((a, b) => a - b)
        .map((label) => labels.indexOf(label))
        .slice(0, 10)
    : Array.from({ length: Math.min(10, count) }, (_, i) => i);
  for (const number of firsts) {
    const canvas = element("canvas", { "aria-hidden": "true" });
    const x = floats(data.test_images, [number]);
    paint(canvas, x, picture("x", x.shape, shape), { grey: true });
    const label = labels ? `A test image of ${what(number)}` : `Test image ${number}`;
    const choose = () => {
      state.set_test_image(number);
      picker.set(number);
    };
    find("#look .thumbs").append(
      element(
        "button",
        { type: "button", class: "thumb", "aria-label": label, click: choose },
        canvas,
      ),
    );
  }

  // The plane, and eps.
  const plane = new Plane(find("#look .plane"), { moved: (point) => move_z(point) });
  const move_z = (point) => {
    const [mean, log_var] = state.vae.encode(state.x);
    const eps = shaped(state.eps.slice(), state.eps.shape);
    plane.units.forEach((unit, axis) => {
      eps[unit] = (point[axis] - mean[unit]) / Math.exp(log_var[unit] / 2);
    });
    state.set_eps(eps);
  };
  const noises = plane.units.map((_, axis) =>
    element("div", { class: "noise" }, slider("", { min: -300, max: 300, start: 0, changed() {} })),
  );
  find("#look .eps").append(...noises.slice(0, z_dim));
  function name_units() {
    plane.units.slice(0, z_dim).forEach((unit, axis) => {
      const made = slider(`eps of unit ${unit}`, {
        min: -300,
        max: 300,
        start: Math.round(100 * state.eps[unit]),
        scale: (n) => n / 100,
        changed(value) {
          const eps = shaped(state.eps.slice(), state.eps.shape);
          eps[unit] = value;
          state.set_eps(eps);
        },
      });
      noises[axis].replaceChildren(made);
      noises[axis].slider = made;
    });
  }
  find("#look .anew").addEventListener("click", () =>
    state.set_eps(state.random.normals(state.eps.shape)),
  );
  find("#look .zero").addEventListener("click", () => state.set_eps(like(state.eps)));

  if (z_dim > 2) {
    for (const axis of [0, 1]) {
      const options = Array.from({ length: z_dim }, (_, unit) =>
        element("option", { value: unit }, `unit ${unit}`),
      );
      const choice = element(
        "select",
        {
          change: () => {
            plane.units[axis] = Number(choice.value);
            chosen = true;
            name_units();
            plane.show_codes(state.codes, data.run);
            state.changed();
          },
        },
        ...options,
      );
      find("#look .units").append(element("label", {}, axis ? "up " : "across ", choice));
      plane[`choice${axis}`] = choice;
    }
  }
  let chosen = false;
  function show_codes() {
    if (z_dim > 2 && !chosen) {
      plane.units = most_active(state.codes);
      [0, 1].forEach((axis) => (plane[`choice${axis}`].value = plane.units[axis]));
    }
    plane.show_codes(state.codes, data.run);
    name_units();
  }
  let codes = null;
  const over = find("#look .over");
  over.addEventListener("change", () => state.changed());
  let decoded = "";
  function show_decoded() {
    const { z_dim, activations } = state.vae;
    const others =
      z_dim > 2 ? activations.z.map((z, unit) => (plane.units.includes(unit) ? 0 : z)) : [];
    const key = `${over.checked} ${state.version} ${plane.units} ${others}`;
    if (key === decoded) return;
    decoded = key;
    const decode = (points) => {
      const z = array([points.length, z_dim]);
      points.forEach((point, row) => {
        z.set(activations.z, row * z_dim);
        plane.units.forEach((unit, axis) => (z[row * z_dim + unit] = point[axis]));
      });
      return state.vae.decode(z);
    };
    plane.show_decoded(over.checked ? decode : null, shape);
  }

  // What comes out, and everything between.
  const out = new HeatMap(shape, { label: "The reconstruction y", width: 160 });
  find("#look .out").append(out.root);
  const graph = new Graph(state.vae, shape, { chosen: (name) => show_detail(name) });
  find("#look .graph-place").append(graph.root);
  let detail = "h2";
  const values = new HeatMap(shape, {
    label: "The chosen array; arrow keys point at its entries",
    pointed: (i) => say_entry(i),
  });
  find("#look .detail").append(values.root);
  const entry = find("#look .entry");
  function show_detail(name) {
    detail = name.split(".")[0] === name ? name : `${name.split(".")[0]}.weight`;
    state.changed();
  }
  function say_entry(i) {
    const a = state.value(detail);
    entry.textContent = `${detail}[${place_text(detail, a.shape, i, shape)}] = ${short(a[i])}`;
  }

  return function update() {
    if (codes !== state.codes) {
      codes = state.codes;
      show_codes();
    }
    const { activations: a } = state.vae;
    shown_x.show("x", state.x, { grey: true });
    if (state.number !== null && pad.strokes.length) {
      pad.strokes = [];
      pad.show();
    }
    picker.say();
    out.show("y", a.y, { grey: true });
    show_decoded();
    plane.draw({ mean: a.mean, log_var: a.log_var, z: a.z });
    plane.canvas.setAttribute(
      "aria-label",
      `The latent plane: arrow keys move z, now at ${plane.z.map((z) => short(z)).join(", ")}`,
    );
    noises.slice(0, z_dim).forEach((place, axis) => {
      place.slider.set(Math.round(100 * state.eps[plane.units[axis]]));
      find("b", place).textContent = short(state.eps[plane.units[axis]]);
    });
    find("#look .at").textContent = plane.units
      .slice(0, z_dim)
      .map((unit) => {
        const std = Math.exp(a.log_var[unit] / 2);
        return `unit ${unit}: mean ${short(a.mean[unit])}, standard deviation ${short(std)}, z ${short(a.z[unit])}`;
      })
      .join("; ");
    const { reconstruction, kl, total } = state.loss;
    find("#look .since").textContent = since(state);
    find("#look .losses").textContent =
      `loss ${short(total)} = reconstruction ${short(reconstruction)} + beta ${short(state.beta)} × KL ${short(kl)}`;
    for (const name of Object.keys(graph.boxes)) {
      const array_of = state.value(name);
      if (name in state.loss) graph.write(name, [brief(state.loss[name])]);
      else if (array_of) {
        graph.show(name, array_of, { grey: ["x", "y"].includes(name) });
        graph.say(name, `${name}, ${array_of.length} numbers, largest ${short(largest(array_of))}`);
      } else
        graph.write(name, [state.vae.parameters[`${name.split(".")[0]}.weight`].shape.join(" × ")]);
    }
    graph.light([], [detail.includes(".") ? `${detail.split(".")[0]}.parameters` : detail]);
    const shown = state.value(detail);
    find("#look .detail-name").textContent = shown
      ? `${detail} ${shape_text(shown.shape)}, norm ${short(norm(shown))}`
      : `${NODE_NAMES[detail]}: ${short(state.loss[detail])}`;
    values.root.hidden = !shown;
    if (shown) {
      values.show(detail, shown, { grey: ["x", "y"].includes(detail) });
      say_entry(Math.min(values.selected, shown.length - 1));
    } else entry.textContent = "";
  };
}

// What has changed since the run, here.
function since({ trained, settings, data: { run }, loss }) {
  const trained_here = trained ? `trained here for ${trained} steps` : "";
  const beta = settings.beta === run.settings.beta ? "" : `beta is ${short(settings.beta)}`;
  const changes = [trained_here, beta].filter(Boolean).join(", ");
  return changes && `Since then: ${changes}. ${collapse(loss.kl)}`;
}

// The two units whose means vary most over the images.
function most_active(codes) {
  const [rows, columns] = codes.shape;
  const variances = Array.from({ length: columns }, (_, unit) => {
    let [sum, squares] = [0, 0];
    for (let row = 0; row < rows; row++) {
      sum += codes[row * columns + unit];
      squares += codes[row * columns + unit] ** 2;
    }
    return [squares / rows - (sum / rows) ** 2, unit];
  });
  return variances
    .sort(([a], [b]) => b - a)
    .slice(0, 2)
    .map(([, unit]) => unit);
}
