// What the tests ask of the page's mathematics: plain lists in, plain lists out.

function rows(lists, Type = Float64Array) {
  return shaped(Type.from(lists.flat()), [lists.length, lists[0].length]);
}

function made(sizes, reconstruction, parameters, single) {
  const vae = new VAE(...sizes, reconstruction, single ? Float32Array : Float64Array);
  vae.parameters.flat.set(parameters);
  return vae;
}

function lists(arrays) {
  return Object.fromEntries(Object.entries(arrays).map(([name, a]) => [name, Array.from(a)]));
}

function differentiate({ sizes, reconstruction, parameters, x, eps, beta, single, mistake }) {
  const vae = made(sizes, reconstruction, parameters, single);
  if (mistake) plant(mistake, vae);
  const loss = vae.forward(rows(x, vae.Type), rows(eps, vae.Type), beta);
  vae.backward();
  const { activations, activation_gradients, parameters: p, gradients } = vae;
  return {
    loss,
    names: p.names,
    activations: lists(activations),
    activation_gradients: lists(activation_gradients),
    gradients: Object.fromEntries(p.names.map((name) => [name, Array.from(gradients[name])])),
    x: Array.from(vae.input_gradient()),
  };
}

function train({ sizes, reconstruction, parameters, batches, beta, settings, mistake }) {
  const vae = made(sizes, reconstruction, parameters, false);
  const adam = new Adam(vae.parameters, settings);
  if (mistake) plant(mistake, vae, adam);
  const losses = batches.map(([x, eps]) => {
    const loss = vae.forward(rows(x, vae.Type), rows(eps, vae.Type), beta);
    adam.step(vae.backward());
    return loss.total;
  });
  return { losses, parameters: Array.from(vae.parameters.flat) };
}

function compare({ sizes, reconstruction, parameters, x, eps, beta, mistake }) {
  const [right, wrong] = [1, 2].map(() => made(sizes, reconstruction, parameters, false));
  plant(mistake, wrong);
  return differences(right, wrong, rows(x), rows(eps), beta);
}

function stepped(reconstruction, rows = 3) {
  const vae = new VAE(7, 6, 5, 4, reconstruction);
  const random = new Random(1);
  vae.initialize(random);
  const x = random.normals([rows, 7]).map((value) => 1 / (1 + Math.exp(value)));
  vae.forward(shaped(x, [rows, 7]), random.normals([rows, 4]), 0.7);
  vae.backward();
  return [vae, backward_steps(vae)];
}

function lines_of_steps(reconstruction) {
  return stepped(reconstruction)[1].map(({ line }) => line);
}

// The steps' results that are not what the backward pass computes, or not what their parts give.
function wrong_steps(reconstruction) {
  const wrong = [];
  const same = (a, b) => Math.abs(a - b) <= 1e-12 * (1 + Math.abs(b));
  for (const rows of [1, 3]) {
    const [vae, steps] = stepped(reconstruction, rows);
    const last = {};
    for (const { results } of steps) {
      for (const { name, equation, array: out, of } of results) {
        last[name] = out;
        out.forEach((value, i) => {
          const { sum, terms } = of(i);
          const parts = terms.map(([, part]) => part);
          const found = sum ? parts.reduce((a, b) => a + b) : parts.reduce((a, b) => a * b);
          if (!same(found, value)) wrong.push([equation, name, i]);
        });
      }
    }
    const expected = { ...vae.activation_gradients, x: vae.input_gradient() };
    for (const name of vae.parameters.names) expected[name] = vae.gradients[name];
    if (reconstruction === "bce") delete expected.y;
    for (const [name, a] of Object.entries(expected)) {
      if (!last[name] || !a.every((value, i) => same(last[name][i], value))) wrong.push(name);
    }
  }
  return wrong;
}

// All gradients of an estimator, for one draw of eps.
function estimate({ sizes, reconstruction, parameters, x, eps, beta, estimator }) {
  const vae = made(sizes, reconstruction, parameters, false);
  vae.forward(rows(x), rows(eps), beta);
  vae.F = { ...F, ...ESTIMATORS[estimator](vae) };
  return lists(Object.fromEntries(Object.entries(vae.backward()).filter(([name]) => name.includes("."))));
}

// The mean and the standard deviation of what a step finds, over these draws of eps.
function average({ sizes, reconstruction, parameters, x, draws, beta, step }) {
  const vae = made(sizes, reconstruction, parameters, false);
  const averages = new Averages(vae, rows(x), beta, step);
  for (const eps of draws) averages.draw(rows(eps));
  const of = Object.entries(averages.of).map(([name, found]) => [
    name,
    found.map((one) => [Array.from(one.mean), Array.from(one.deviation())]),
  ]);
  return Object.fromEntries(of);
}
