// Plant a mistake: what it makes wrong, and what the loss curve says of it.

function mistake_section(state) {
  const { data, settings } = state;
  const shape = data.run.image_shape;
  const { reconstruction, h_dim1, h_dim2 } = state.vae;
  const square = ["a transposed weight gradient", "a weight gradient from the layer's output"];
  const list = data.mistakes.map((mistake, number) => ({
    ...mistake,
    why_not:
      mistake.reconstruction !== reconstruction && /squared error|sigmoid/.test(mistake.name)
        ? `needs the ${mistake.reconstruction === "mse" ? "squared error" : "cross-entropy"}`
        : square.includes(mistake.name) && h_dim1 !== h_dim2
          ? "needs hidden layers of one size"
          : "",
    number,
  }));
  const choice = element(
    "select",
    { change: () => choose(Number(choice.value)) },
    ...list.map(({ name, why_not, number }) =>
      element(
        "option",
        { value: number, disabled: Boolean(why_not) },
        `${number + 1}. ${name}${why_not ? ` (${why_not})` : ""}`,
      ),
    ),
  );
  find("#mistake .choice").append(element("label", {}, "Mistake ", choice));
  const new_model = () => {
    const { x_dim, z_dim } = state.vae;
    return new VAE(x_dim, h_dim1, h_dim2, z_dim, reconstruction);
  };
  const [right, wrong] = [new_model(), new_model()];
  const measured = wrong.astype(Float64Array);
  let chosen = null;
  let trainers = [];
  let curves = { right: [], shown: [], true: [] };
  let [running, trained, noted] = [null, 0, 0];
  const button = find("#mistake .go");

  function choose(number) {
    chosen = list[number];
    choice.value = number;
    find("#mistake .explanation").textContent =
      chosen.explanation + (chosen.public ? " Published, or a known pitfall." : "");
    find("#mistake .lines").replaceChildren(
      ...chosen.lines.map((line) => {
        const kind = { "-": "wrong", "+": "right" }[line[0]] ?? "place";
        return element("span", { class: `line ${kind}` }, `${line}\n`);
      }),
    );
    restart();
    state.changed();
  }
  function restart() {
    stop();
    trained = 0;
    for (const vae of [right, wrong]) vae.initialize(new Random(1));
    trainers = [null, chosen.name].map(
      (mistake, i) => new Trainer([right, wrong][i], data.train_images, settings, 2, mistake),
    );
    curves = { right: [], shown: [], true: [] };
    note();
  }
  function stop() {
    running?.stop();
    running = null;
    button.textContent = "Train both";
  }
  function note() {
    measured.parameters.flat.set(wrong.parameters.flat);
    curves.right.push([trained, test_losses(right, data, settings).total]);
    curves.shown.push([trained, test_losses(wrong, data, settings).total]);
    curves.true.push([trained, test_losses(measured, data, settings).total]);
  }
  button.addEventListener("click", () => {
    if (running) return stop();
    button.textContent = "Pause";
    running = repeating(
      () => {
        for (const trainer of trainers) trainer.step();
        trained += 1;
      },
      () => Infinity,
      () => {
        if (performance.now() - noted < state.patience) return;
        note();
        noted = performance.now();
        state.changed();
      },
    );
  });
  find("#mistake .again").addEventListener("click", () => {
    restart();
    state.changed();
  });

  const maps = {};
  for (const [name, label] of [
    ["right", "Samples of the right code"],
    ["wrong", "Samples of the code with the mistake"],
  ]) {
    maps[name] = new HeatMap(shape, { label, width: 340 });
    find(`#mistake .samples-${name}`).append(maps[name].root);
  }
  const z = new Random(7).normals([8, state.vae.z_dim]);
  const numbers = Array.from({ length: Math.min(16, data.train_images.shape[0]) }, (_, i) => i);
  const x = floats(data.train_images, numbers);
  const eps = new Random(5).normals([numbers.length, state.vae.z_dim]);
  let compared = "";
  function compare() {
    const models = [state.vae, state.vae].map((vae) => vae.astype(Float64Array));
    plant(chosen.name, models[1]);
    const errors = differences(...models, x, eps, settings.beta);
    const row = ([name, error]) => {
      const bar = element("span", { class: "bar" });
      bar.style.width = `${Math.min(100, 100 * error)}%`;
      const text =
        error === 0
          ? "right"
          : Number.isFinite(error)
            ? `wrong by ${short(100 * error)} %`
            : "wrong";
      return element(
        "tr",
        { class: error ? "bad" : "good" },
        element("th", { scope: "row" }, name),
        element("td", {}, text),
        element("td", { class: "bar-place", "aria-hidden": "true" }, bar),
      );
    };
    find("#mistake .errors").replaceChildren(...Object.entries(errors).map(row));
    const wrong_ones = Object.values(errors).filter(Boolean).length;
    find("#mistake .count").textContent = wrong_ones
      ? `${wrong_ones} of ${Object.keys(errors).length} losses and gradients are wrong:`
      : "All losses and gradients are right: this mistake sits in Adam, which makes wrong steps of them.";
  }

  choose(list.findIndex(({ name, why_not }) => !why_not && name.startsWith("noise")));
  return function update() {
    const key = `${chosen.name} ${state.version} ${settings.beta}`;
    if (compared !== key) {
      compared = key;
      compare();
    }
    maps.right.show("y", right.decode(z), { grey: true });
    maps.wrong.show("y", wrong.decode(z), { grey: true });
    const series = [
      { name: "right code", colour: colour("faint"), points: curves.right },
      { name: "with the mistake, as it shows", colour: colour("positive"), points: curves.shown },
      {
        name: "the same, measured by right code",
        colour: colour("negative"),
        dash: [3, 4],
        points: curves.true,
      },
    ];
    const last = (curve) => short(curve.at(-1)[1]);
    const text = `${trained} steps: right code ${last(curves.right)}, with the mistake it shows ${last(curves.shown)}, measured by right code ${last(curves.true)}`;
    find("#mistake .status").textContent = text;
    plot(find("#mistake .loss"), series, {
      x_label: "steps",
      y_label: "test loss per image",
      label: text,
    });
  };
}
