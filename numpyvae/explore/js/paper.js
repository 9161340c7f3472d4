// The smallest network of this kind, as the book does it on paper: every array is a single number.

// What each of the book's steps finds, in the book's order: gradients by name, and where they run.
// `how` is what the names alone do not say.
const PAPER_STEPS = [
  {
    finds: ["y", "logits"],
    edges: [
      ["y", "reconstruction"],
      ["logits", "y"],
    ],
  },
  { layer: ["h4", "decoder3", "logits"] },
  { finds: ["a4"], edges: [["a4", "h4"]], layer: ["h3", "decoder2", "a4"] },
  { finds: ["a3"], edges: [["a3", "h3"]], layer: ["z", "decoder1", "a3"] },
  {
    how: ", through z",
    finds: ["mean", "log_var"],
    edges: [
      ["mean", "z"],
      ["log_var", "z"],
    ],
  },
  {
    how: ", through the KL divergence",
    finds: ["mean", "log_var"],
    edges: [
      ["mean", "kl"],
      ["log_var", "kl"],
    ],
  },
  {
    how: ": the sums",
    finds: ["mean", "log_var"],
    edges: [
      ["mean", "z"],
      ["log_var", "z"],
      ["mean", "kl"],
      ["log_var", "kl"],
    ],
  },
  { layer: ["h2", "mean", "mean"], second: ["h2", "log_var", "log_var"] },
  { finds: ["a2"], edges: [["a2", "h2"]], layer: ["h1", "encoder2", "a2"] },
  { finds: ["a1"], edges: [["a1", "h1"]], layer: [null, "encoder1", "a1"] },
  {
    finds: ["x"],
    edges: [
      ["x", "encoder1.parameters"],
      ["x", "reconstruction"],
    ],
  },
];

function paper_section({ paper }) {
  const vae = new VAE(1, 1, 1, 1);
  vae.parameters.flat.set(paper.parameters);
  const [x, eps] = [paper.x, paper.eps].map((value) => shaped(Float64Array.of(value), [1, 1]));
  const loss = vae.forward(x, eps);
  vae.backward();
  const { activations: a, activation_gradients: g, gradients, parameters: w } = vae;
  const [through_z, through_kl] = [
    F.reparameterize_backward(g.z, a.log_var, eps),
    F.kl_divergence_backward(1, a.mean, a.log_var),
  ];

  const graph = new Graph(vae, [1, 1], { row: 86, chosen: (name) => go(step_of(name)) });
  find("#paper .graph-place").append(graph.root);
  const items = [...document.querySelectorAll("#paper-steps li")];
  const status = find("#paper .status");
  let now = 0;

  const all = PAPER_STEPS.map(({ finds = [], edges = [], layer, second, how = "" }) => {
    const found = { names: [...finds], edges: [...edges], how };
    for (const [input, name, output] of [layer, second].filter(Boolean)) {
      found.names.push(`${name}.parameters`);
      if (input) {
        found.names.push(input);
        found.edges.push([input, `${name}.parameters`]);
      }
      found.edges.push([`${name}.parameters`, output]);
    }
    return found;
  });
  const step_of = (name) => Math.max(0, all.findLastIndex(({ names }) => names.includes(name)) + 1);

  const answers = items.map((item) => find("details", item));
  all.forEach(({ names, how }, i) => {
    const asked = [...new Set(names)].map((name) => name.replace(".parameters", "'s weight and bias"));
    find("summary", answers[i]).textContent = `The gradients of ${listed_text(asked)}${how}`;
  });

  function go(step) {
    const next = Math.max(0, Math.min(all.length, step));
    if (next !== now && next) answers[next - 1].open = false;
    now = next;
    refresh();
  }

  // What is known: all of the steps before, and of this one if its answer is open.
  const done = (step) => step < now || (step === now && answers[now - 1].open);

  function gradient_of(name) {
    const found = all.findLastIndex(({ names }, i) => names.includes(name) && done(i + 1)) + 1;
    const asked = all[now - 1]?.names.includes(name) && !done(now) ? "?" : "";
    if (!found) return asked && `G ${asked}`;
    const path = { mean: 0, log_var: 1 }[name];
    if (path !== undefined && found < 7) {
      const parts = [through_z, through_kl].slice(0, found - 4).map((of) => brief(of[path][0]));
      return [...parts, ...(asked ? [asked] : [])].join(" + ");
    }
    if (!name.endsWith(".parameters"))
      return `G ${brief((name === "x" ? vae.input_gradient() : g[name])[0])}`;
    const layer = name.split(".")[0];
    return `G ${["weight", "bias"].map((kind) => brief(gradients[`${layer}.${kind}`][0])).join(", ")}`;
  }

  function refresh() {
    const values = { x, eps, ...a };
    const losses = { reconstruction: loss.reconstruction, kl: loss.kl, total: loss.total };
    for (const name of Object.keys(graph.boxes)) {
      const layer = name.endsWith(".parameters") ? name.split(".")[0] : null;
      let [value, gradient] = ["", gradient_of(name)];
      if (layer) {
        const [weight, bias] = ["weight", "bias"].map((kind) => w[`${layer}.${kind}`][0]);
        value = `W ${brief(weight)}, b ${brief(bias)}`;
      } else if (name in losses) [value, gradient] = [brief(losses[name]), "G 1"];
      else value = brief(values[name][0]);
      const narrow = layer === "mean" || layer === "log_var";
      if (narrow) graph.write(name, value.split(", "), gradient.replace("G ", ""));
      else graph.write(name, [value], gradient);
      graph.say(
        name,
        `${NODE_NAMES[name] ?? layer ?? name}: ${value} ${gradient.replace("G", "gradient")}`,
      );
    }
    const { edges, names } = all[now - 1] ?? { edges: [], names: [] };
    graph.light(edges, names);
    items.forEach((item, i) => {
      if (i === now - 1) item.setAttribute("aria-current", "step");
      else item.removeAttribute("aria-current");
    });
    status.textContent = now
      ? `Step ${now} of ${all.length}`
      : "Forward: every value is there. dL/dL = 1.";
    limit_buttons("#paper", now, all.length);
  }

  stepping(
    "#paper",
    () => go(now - 1),
    () => go(now + 1),
    (end) => go(end ? all.length : 0),
  );
  answers.forEach((answer, i) => {
    find("summary", answer).addEventListener("click", () => i + 1 !== now && go(i + 1));
    answer.addEventListener("toggle", refresh);
  });
  go(0);
}

// At an end a button does nothing, and says so; it stays where it is, and keeps the keyboard's focus.
function limit_buttons(section, now, last) {
  find(`${section} .back`).setAttribute("aria-disabled", now === 0);
  find(`${section} .next`).setAttribute("aria-disabled", now === last);
}

// Buttons "back" and "next" of a section, and arrow keys within it.
function stepping(section, back, next, jump) {
  find(`${section} .back`).addEventListener("click", back);
  find(`${section} .next`).addEventListener("click", next);
  find(section).addEventListener("keydown", (event) => {
    if (event.target.matches("input, select, textarea")) return;
    const keys = {
      ArrowLeft: back,
      ArrowRight: next,
      Home: () => jump(false),
      End: () => jump(true),
    };
    if (!keys[event.key]) return;
    event.preventDefault();
    keys[event.key]();
  });
}
