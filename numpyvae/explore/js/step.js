// Step through the backward pass: one line of it at a time, for one draw of eps and on average.

const BATCH_SIZES = [1, 2, 4, 8, 16];
const DRAWS = [10, 100, 1000, 10000];

function step_section(state) {
  const { data } = state;
  const shape = data.run.image_shape;
  const same_weights = () =>
    Object.assign(state.vae.astype(Float64Array), { parameters: state.vae.parameters });
  const [vae, drawing] = [same_weights(), same_weights()]; // for one draw of eps, and for many
  let [images, x, eps] = [1, state.x, state.eps];
  find("#step .batch").append(
    choice_slider("Images in the batch", BATCH_SIZES, 1, (count) => {
      images = count;
      state.changed();
    }),
    element("p", { class: "hint batch-text" }),
  );
  // The image of section 1 with its eps first, then training images with others.
  function make_batch() {
    const others = Array.from({ length: images - 1 }, (_, i) => i % data.train_images.shape[0]);
    const join = (first, rest) => {
      const all = array([images, first.length]);
      all.set(first);
      all.set(rest, first.length);
      return all;
    };
    x = join(state.x, floats(data.train_images, others));
    eps = join(state.eps, new Random(images).normals([images - 1, vae.z_dim]));
    find("#step .batch-text").textContent =
      images === 1
        ? "With more than one, the gradients of weights (B2) and biases (B3) are sums over images."
        : `L is the sum of ${images} losses: of the image x of section 1, and of training images. A row of an array is an image.`;
  }
  const graph = new Graph(vae, shape, { row: 66, chosen: (name) => go(step_of(name)) });
  find("#step .graph-place").append(graph.root);
  let steps = [];
  let now = 0;
  let shown = [];

  const code = find("#step .code");
  let listed = null;
  function list_code(line) {
    const begins = (text) => text.trim().startsWith(line);
    const { lines, statements } = data.code.find((method) => method.lines.some(begins));
    const first = lines.findIndex(begins);
    const [from, to] = statements.find(([a, b]) => a <= first && first <= b) ?? [first, first];
    if (listed !== lines) {
      listed = lines;
      code.replaceChildren(...lines.map((text) => element("span", { class: "line" }, `${text}\n`)));
    }
    [...code.children].forEach((row, i) => row.classList.toggle("lit", i >= from && i <= to));
    if (from >= 0) {
      const row = code.children[from];
      code.scrollTop = row.offsetTop - code.offsetTop - 60;
    }
  }

  const step_of = (name) => {
    const wanted = name.replace(".parameters", ".weight");
    return (
      steps.findLastIndex(({ results }) => results.some((result) => result.name === wanted)) + 1
    );
  };
  const names_of = ({ results }) =>
    results.map(({ name }) => (name.includes(".") ? `${name.split(".")[0]}.parameters` : name));

  function go(step) {
    now = Math.max(0, Math.min(steps.length, step));
    const { edges, results, line } = steps[now - 1] ?? {
      edges: [],
      results: [],
      line: "x, eps, beta =",
    };
    find("#step .status").textContent = now
      ? `Step ${now} of ${steps.length}: ${results
          .map(({ name }) => name)
          .filter((n, i, all) => all.indexOf(n) === i)
          .join(", ")}`
      : `Step 0 of ${steps.length}: the loss itself`;
    limit_buttons("#step", now, steps.length);
    graph.light(edges, now ? names_of(steps[now - 1]) : ["total"]);
    list_code(line);
    const start = element(
      "p",
      {},
      "dL/dL = 1. The loss is the sum of its terms, so the reconstruction gets 1, too, and the KL divergence gets beta.",
    );
    shown = results.map((result) => result_view(result));
    const place = find("#step .results");
    place.replaceChildren(...(now ? shown.map(({ root }) => root) : [start]));
    restart_average();
    refresh();
    const bar = find("#step .sticky");
    const narrow = place.getBoundingClientRect().left < bar.getBoundingClientRect().right;
    const hidden = place.getBoundingClientRect().top < bar.getBoundingClientRect().bottom;
    if (narrow && hidden) code.scrollIntoView();
  }

  function result_view(result) {
    const { name, equation, inputs, array: out } = result;
    const maps = [];
    const map = (label, name_of, pointed, width) => {
      const heat = new HeatMap(shape, { label, width, pointed });
      maps.push([heat, label, name_of]);
      const caption = element("figcaption", {});
      maps.at(-1).push(caption);
      return element("figure", {}, heat.root, caption);
    };
    const ins = Object.keys(inputs).map((label) => map(label, label.replace("G ", ""), null, 160));
    const words = element("p", { class: "words", "aria-live": "polite" });
    const from = result.summands ? " + " : "";
    const say = (i) => {
      words.textContent = explained(view.result, i, shape);
      if (averages?.count) show_averages();
    };
    const output = map(`G ${name}`, name, say, 340);
    maps.at(-1)[0].selected = out.findIndex((value) => Math.abs(value) === largest(out));
    const sizes = Object.entries(inputs).map(([label, a]) => `${label} ${shape_text(a.shape)}`);
    const root = element(
      "section",
      { class: "result" },
      element("h4", {}, `G ${name} ${shape_text(out.shape)}`),
      element(
        "div",
        { class: "formula" },
        find(`#${equation}`).content.cloneNode(true),
        element("span", { class: "number" }, `(${equation})`),
      ),
      element("p", { class: "sizes" }, `From ${sizes.join(from || " and ")}.`),
      element(
        "div",
        { class: "maps" },
        ...ins,
        element("span", { class: "to", "aria-hidden": "true" }, "→"),
        output,
      ),
      words,
    );
    const view = { root, result, maps, say };
    return view;
  }

  function refresh() {
    shown.forEach((view, k) => {
      view.result = steps[now - 1].results[k];
      const arrays = [...Object.values(view.result.inputs), view.result.array];
      const together = view.result.summands && Math.max(...arrays.map(largest));
      view.maps.forEach(([heat, label, name, caption], n) => {
        heat.show(
          name === "through z" || name.startsWith("through") ? view.result.name : name,
          arrays[n],
          {
            limit: together || undefined,
            grey: label === "x" || label === "y",
          },
        );
        caption.textContent = `${label}, norm ${short(norm(arrays[n]))}`;
      });
      view.say(view.maps.at(-1)[0].selected);
    });
    const found = new Map(
      steps.slice(0, now).flatMap(({ results }) => results.map(({ name, array: a }) => [name, a])),
    );
    for (const name of Object.keys(graph.boxes)) {
      const gradient = found.get(name.replace(".parameters", ".weight"));
      const one = { total: 1, reconstruction: 1, kl: state.beta }[name];
      if (one !== undefined) graph.write(name, [`G ${brief(one)}`]);
      else if (name.endsWith(".parameters")) {
        const narrow = ["mean.parameters", "log_var.parameters"].includes(name);
        const lines = gradient ? ["norm", brief(norm(gradient))] : [];
        graph.write(name, narrow ? lines : [lines.join(" ")]);
      } else if (gradient) graph.show(name, gradient);
      else graph.write(name, []);
      const text = gradient
        ? `gradient found, norm ${short(norm(gradient))}`
        : one
          ? `gradient ${short(one)}`
          : "no gradient yet";
      graph.say(
        name,
        `${NODE_NAMES[name] ?? name.split(".")[0]}: ${name === "eps" ? "needs no gradient" : text}`,
      );
    }
  }
  stepping(
    "#step",
    () => go(now - 1),
    () => go(now + 1),
    (end) => go(end ? steps.length : 0),
  );

  // Averages over eps of what the step finds.
  let [averages, running, draws, wanted] = [null, null, 100, false];
  const button = find("#step .average");
  const name_button = () => (button.textContent = `Average of ${draws} draws`);
  find("#step .draws").append(
    choice_slider("draws", DRAWS, draws, (count) => {
      draws = count;
      name_button();
    }),
  );
  button.addEventListener("click", () => {
    wanted = true;
    restart_average();
  });
  function restart_average() {
    running?.stop();
    averages = null;
    find("#step .drawn").textContent = "";
    find("#step .estimators").replaceChildren();
    button.setAttribute("aria-disabled", now === 0);
    if (!wanted || !now) return;
    averages = new Averages(drawing, x, state.beta, now - 1);
    const goal = draws;
    running = repeating(
      () => {
        averages.draw();
        if (averages.count === goal) running.stop();
      },
      () => Infinity,
      () => averages.count > 1 && show_averages(),
    );
  }
  function show_averages() {
    const { count, of } = averages;
    find("#step .drawn").textContent = `${count} draws`;
    const tables = shown.flatMap((view, k) => {
      const i = view.maps.at(-1)[0].selected;
      const { name, array: one } = view.result;
      const index = place_text(name, one.shape, i, shape);
      const rows = Object.entries(of).map(([estimator, found]) => {
        const { mean } = found[k];
        const deviation = found[k].deviation();
        const error = deviation[i] / Math.sqrt(count);
        return [
          estimator,
          `${short(mean[i])} ± ${short(error, 2)}`,
          short(deviation[i], 3),
          short(norm(deviation) ? norm(mean) / norm(deviation) : Infinity, 3),
        ];
      });
      const cells = (tag, texts) => texts.map((text) => element(tag, {}, text));
      const heads = ["estimator", "mean ± standard error", "deviation", "signal to noise"];
      const maps = [
        ["mean", of["exact KL"][k].mean],
        ["standard deviation", of["exact KL"][k].deviation()],
      ].map(([label, a]) => {
        const map = new HeatMap(shape, { label: `${label} of G ${name}`, width: 160 });
        map.show(name, a);
        const caption = `${label}, norm ${short(norm(a))}`;
        return element("figure", {}, map.root, element("figcaption", {}, caption));
      });
      return [
        element("h4", {}, `G ${name}`),
        element("div", { class: "maps" }, ...maps),
        element("p", {}, `Here G ${name}[${index}] = ${short(one[i])}. Over the draws:`),
        element(
          "table",
          { class: "numbers" },
          element("tr", {}, ...cells("th", heads)),
          ...rows.map(([estimator, ...texts]) =>
            element("tr", {}, element("th", { scope: "row" }, estimator), ...cells("td", texts)),
          ),
        ),
      ];
    });
    find("#step .estimators").replaceChildren(...tables);
  }

  let seen = null;
  return function update() {
    make_batch();
    vae.forward(x, eps, state.beta);
    vae.backward();
    steps = backward_steps(vae);
    state.batch = { vae, eps }; // for the console, and for tests
    const key = [state.version, state.beta, state.x, images];
    if (!seen) go(0);
    else {
      refresh();
      if (key.some((part, i) => part !== seen[i])) restart_average();
    }
    seen = key;
  };
}

// In words, which numbers an entry came from.
function explained({ name, array: out, of }, i, image_shape) {
  const { sum, terms } = of(i);
  const start = `G ${name}[${place_text(name, out.shape, i, image_shape)}] = ${short(out[i])}`;
  const number = (value) => (value < 0 ? `(${short(value)})` : short(value));
  if (!sum) {
    const factors = terms.map(([text, value]) => `${text} = ${number(value)}`);
    return `${start}, the product of ${listed_text(factors)}.`;
  }
  if (terms.length === 1) return `${start}, which is ${terms[0][0]}: one image, so one term.`;
  if (terms.length === 2) {
    const [first, second] = terms.map(([text, value]) => `${short(value)} (${text})`);
    return `${start}, the sum ${first} + ${second}.`;
  }
  const sorted = [...terms].sort(([, a], [, b]) => Math.abs(b) - Math.abs(a));
  const top = sorted.slice(0, 3).map(([text, value]) => `${text} = ${short(value)}`);
  const rest = sorted.slice(3).reduce((total, [, value]) => total + value, 0);
  return `${start}, the sum of ${terms.length} products. The largest: ${listed_text(top)}. The others together: ${short(rest)}.`;
}

function listed_text(texts) {
  return texts.length < 2 ? texts.join("") : `${texts.slice(0, -1).join(", ")} and ${texts.at(-1)}`;
}
