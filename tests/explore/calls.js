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
