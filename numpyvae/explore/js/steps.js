// The backward pass as steps: one per line of it, and a last one for the image itself.
//
// A step is { line, results, edges }: `line` is the beginning of its line of code, `results` the
// arrays that it computes, `edges` where it runs in the graph. A result is
//
//     name        of what it is the gradient of, such as "h4" or "decoder3.weight"
//     equation    its number in the book
//     inputs      the arrays that go in, by the names that the page shows
//     array       what comes out
//     of(i)       which numbers entry i came from: { sum, terms: [[text, value], ...] }, where the
//                 entry is the sum of the terms, or their product
//     summands    where two paths meet: both, by name
//
// Everything is computed anew from the arrays that the model's backward pass left behind.

function backward_steps(vae) {
  const [x, eps, beta] = vae.given;
  const { activations: a, activation_gradients: g, gradients, parameters: w } = vae;
  const G = (name) => `G ${name}`;

  // The index of entry i of an array with a row per image.
  const entry = (i, { shape: [rows, n] }) => at(Math.floor(i / n), i % n, rows);
  const product = (...terms) => ({ sum: false, terms });
  const total = (...terms) => ({ sum: true, terms });
  const each = (name, equation, inputs, array, of) => ({ name, equation, inputs, array, of });

  // A linear layer: (B2), (B3) and, where its input needs a gradient, (B4).
  function layer(name, output, input, input_value, grad_output, out) {
    const [n_out, n_in] = w.shapes[`${name}.weight`];
    const rows = grad_output.shape[0];
    const images = Array.from({ length: rows }, (_, k) => k);
    const results = [
      each(
        `${name}.weight`,
        "B2",
        { [G(output)]: grad_output, [input]: input_value },
        gradients[`${name}.weight`],
        (i) => {
          const [o, j] = [Math.floor(i / n_in), i % n_in];
          return total(
            ...images.map((k) => [
              `${G(output)}[${at(k, o, rows)}] × ${input}[${at(k, j, rows)}]`,
              grad_output[k * n_out + o] * input_value[k * n_in + j],
            ]),
          );
        },
      ),
      each(`${name}.bias`, "B3", { [G(output)]: grad_output }, gradients[`${name}.bias`], (o) =>
        total(
          ...images.map((k) => [`${G(output)}[${at(k, o, rows)}]`, grad_output[k * n_out + o]]),
        ),
      ),
    ];
    if (out) {
      const weight = w[`${name}.weight`];
      results.push(
        each(input, "B4", { [G(output)]: grad_output, [`${name}.weight`]: weight }, out, (i) => {
          const [k, j] = [Math.floor(i / n_in), i % n_in];
          return total(
            ...Array.from({ length: n_out }, (_, o) => [
              `${G(output)}[${at(k, o, rows)}] × ${name}.weight[${o}, ${j}]`,
              grad_output[k * n_out + o] * weight[o * n_in + j],
            ]),
          );
        }),
      );
    }
    return results;
  }

  const relu = (number, gradient = g[`h${number}`]) =>
    each(
      `a${number}`,
      "B6",
      { [G(`h${number}`)]: gradient, [`h${number}`]: a[`h${number}`] },
      g[`a${number}`],
      (i) => {
        const index = entry(i, gradient);
        return product(
          [`${G(`h${number}`)}[${index}]`, gradient[i]],
          [`1 if h${number}[${index}] > 0, else 0`, a[`h${number}`][i] > 0 ? 1 : 0],
        );
      },
    );

  const [z_mean, z_log_var] = vae.F.reparameterize_backward(g.z, a.log_var, eps);
  const [kl_mean, kl_log_var] = vae.F.kl_divergence_backward(beta, a.mean, a.log_var);
  const meeting = (name, equation, first, second, array) => {
    const [[first_name, first_array], [second_name, second_array]] = [first, second];
    const of = (i) => total([first_name, first_array[i]], [second_name, second_array[i]]);
    const summands = { [first_name]: first_array, [second_name]: second_array };
    return { ...each(name, equation, summands, array, of), summands };
  };
  const head = (name, gradient) =>
    vae.F.linear_backward_input(gradient, w[`${name}.weight`], like(a.h2));

  const loss = [
    {
      line: 'loss.backward(a["y"]',
      edges: [["y", "reconstruction"]],
      results: [
        each("y", "B9", { y: a.y, x }, g.y, (i) =>
          product(["2", 2], [`y[${entry(i, x)}] − x[${entry(i, x)}]`, a.y[i] - x[i]]),
        ),
      ],
    },
    {
      line: "F.sigmoid_backward",
      edges: [["logits", "y"]],
      results: [
        each("logits", "B8", { [G("y")]: g.y, y: a.y }, g.logits, (i) =>
          product(
            [`${G("y")}[${entry(i, x)}]`, g.y[i]],
            [`y[${entry(i, x)}]`, a.y[i]],
            [`1 − y[${entry(i, x)}]`, 1 - a.y[i]],
          ),
        ),
      ],
    },
  ];
  const cross_entropy = [
    {
      line: 'loss.backward(a["logits"]',
      edges: [["logits", "reconstruction"]],
      results: [
        each("logits", "B10", { y: a.y, x }, g.logits, (i) =>
          total([`y[${entry(i, x)}]`, a.y[i]], [`−x[${entry(i, x)}]`, -x[i]]),
        ),
      ],
    },
  ];
  const steps = [
    ...(vae.loss.takes_logits ? cross_entropy : loss),
    linear_step("decoder3", "h4", layer("decoder3", "logits", "h4", a.h4, g.logits, g.h4)),
    { line: 'F.relu_backward(grad["h4"]', edges: [["a4", "h4"]], results: [relu(4)] },
    linear_step("decoder2", "h3", layer("decoder2", "a4", "h3", a.h3, g.a4, g.h3)),
    { line: 'F.relu_backward(grad["h3"]', edges: [["a3", "h3"]], results: [relu(3)] },
    linear_step("decoder1", "z", layer("decoder1", "a3", "z", a.z, g.a3, g.z), "return "),
    {
      line: "grad_mean, grad_log_var = F.reparameterize_backward",
      edges: [
        ["mean", "z"],
        ["log_var", "z"],
      ],
      results: [
        each("mean", "B11", { [G("z")]: g.z }, z_mean, (i) => total([`${G("z")}[${entry(i, eps)}]`, g.z[i]])),
        each("log_var", "B12", { [G("z")]: g.z, log_var: a.log_var, eps }, z_log_var, (i) =>
          product(
            [`${G("z")}[${entry(i, eps)}]`, g.z[i]],
            ["1/2", 0.5],
            [`exp(log_var[${entry(i, eps)}] / 2)`, Math.exp(a.log_var[i] / 2)],
            [`eps[${entry(i, eps)}]`, eps[i]],
          ),
        ),
      ],
      partial: "through z",
    },
    {
      line: "kl_mean, kl_log_var = F.kl_divergence_backward",
      edges: [
        ["mean", "kl"],
        ["log_var", "kl"],
      ],
      results: [
        each("mean", "B13", { mean: a.mean }, kl_mean, (i) =>
          product(["beta", beta], [`mean[${entry(i, eps)}]`, a.mean[i]]),
        ),
        each("log_var", "B14", { log_var: a.log_var }, kl_log_var, (i) =>
          product(["beta / 2", beta / 2], [`exp(log_var[${entry(i, eps)}]) − 1`, Math.expm1(a.log_var[i])]),
        ),
      ],
      partial: "through the KL",
    },
    {
      line: "grad_mean += kl_mean",
      edges: [
        ["mean", "z"],
        ["mean", "kl"],
      ],
      results: [meeting("mean", "B15", ["through z", z_mean], ["through the KL", kl_mean], g.mean)],
    },
    {
      line: "grad_log_var += kl_log_var",
      edges: [
        ["log_var", "z"],
        ["log_var", "kl"],
      ],
      results: [
        meeting(
          "log_var",
          "B16",
          ["through z", z_log_var],
          ["through the KL", kl_log_var],
          g.log_var,
        ),
      ],
    },
    {
      ...linear_step(
        "mean",
        "h2",
        layer("mean", "mean", "h2", a.h2, g.mean, head("mean", g.mean)),
        "grad_h2 = ",
      ),
      partial: "through mean",
    },
    linear_step(
      "log_var",
      "h2",
      [
        ...layer("log_var", "log_var", "h2", a.h2, g.log_var, null),
        meeting(
          "h2",
          "B17",
          ["through mean", head("mean", g.mean)],
          ["through log_var", head("log_var", g.log_var)],
          g.h2,
        ),
      ],
      "grad_h2 += ",
    ),
    { line: "F.relu_backward(grad_h2", edges: [["a2", "h2"]], results: [relu(2)] },
    linear_step("encoder2", "h1", layer("encoder2", "a2", "h1", a.h1, g.a2, g.h1)),
    { line: 'F.relu_backward(grad["h1"]', edges: [["a1", "h1"]], results: [relu(1)] },
    {
      line: 'self._linear_backward_parameters("encoder1"',
      edges: [["encoder1.parameters", "a1"]],
      results: layer("encoder1", "a1", "x", x, g.a1, null),
    },
  ];
  const through_encoder = vae.F.linear_backward_input(g.a1, w["encoder1.weight"]);
  const image = {
    line: "return through_encoder + through_loss",
    edges: [
      ["x", "encoder1.parameters"],
      ["encoder1.parameters", "a1"],
      ["x", "reconstruction"],
    ],
    results: [
      meeting(
        "x",
        "B18",
        ["through the encoder", through_encoder],
        ["through the loss", vae.through_loss()],
        vae.input_gradient(),
      ),
    ],
  };
  return [...steps, image];
}

const NODE_AFTER = { decoder3: "logits", decoder2: "a4", decoder1: "a3", encoder2: "a2" };

function linear_step(name, input, results, before = "") {
  const output = NODE_AFTER[name] ?? name;
  return {
    line: `${before}self._linear_backward("${name}"`,
    edges: [
      [input, `${name}.parameters`],
      [`${name}.parameters`, output],
    ],
    results,
  };
}

// An index as the page writes it: of one image its columns only.
function at(row, column, rows) {
  return rows === 1 ? `${column}` : `${row}, ${column}`;
}
