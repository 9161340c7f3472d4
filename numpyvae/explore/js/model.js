// The variational autoencoder: network.py and model.py, in their order and with their names.
//
//     x -> h1 -> h2 -> (mean, log_var) -> z -> h3 -> h4 -> y

// The reconstruction losses, as in reconstruction.py: their functions in F, and whether these take
// the logits, or else y.
const RECONSTRUCTIONS = {
  mse: { takes_logits: false, value: "squared_error", backward: "squared_error_backward" },
  bce: {
    takes_logits: true,
    value: "bernoulli_cross_entropy",
    backward: "bernoulli_cross_entropy_backward",
  },
};

function parameter_shapes(x_dim, h_dim1, h_dim2, z_dim) {
  const layers = {
    encoder1: [h_dim1, x_dim],
    encoder2: [h_dim2, h_dim1],
    mean: [z_dim, h_dim2],
    log_var: [z_dim, h_dim2],
    decoder1: [h_dim2, z_dim],
    decoder2: [h_dim1, h_dim2],
    decoder3: [x_dim, h_dim1],
  };
  const shapes = {};
  for (const [layer, [n_out, n_in]] of Object.entries(layers)) {
    shapes[`${layer}.weight`] = [n_out, n_in];
    shapes[`${layer}.bias`] = [n_out];
  }
  return shapes;
}

class VAE {
  constructor(x_dim, h_dim1, h_dim2, z_dim, reconstruction = "mse", Type = Float64Array) {
    Object.assign(this, { x_dim, h_dim1, h_dim2, z_dim, reconstruction, Type });
    this.loss = RECONSTRUCTIONS[reconstruction];
    const shapes = parameter_shapes(x_dim, h_dim1, h_dim2, z_dim);
    this.parameters = new FlatArrays(shapes, Type);
    this.gradients = new FlatArrays(shapes, Type);
    this.F = F; // mistakes.js puts wrong functions here
    this.buffers = {}; // of every number of rows that was seen
  }

  // Uniform between -1/sqrt(in) and 1/sqrt(in), as torch.nn.Linear draws them.
  initialize(random) {
    for (const name of this.parameters.names) {
      const n_in = this.parameters.shapes[`${name.split(".")[0]}.weight`][1];
      const parameter = this.parameters[name];
      for (let i = 0; i < parameter.length; i++) {
        parameter[i] = (2 * random.uniform() - 1) / Math.sqrt(n_in);
      }
    }
  }

  astype(Type) {
    const { x_dim, h_dim1, h_dim2, z_dim, reconstruction } = this;
    const copy = new VAE(x_dim, h_dim1, h_dim2, z_dim, reconstruction, Type);
    copy.parameters.flat.set(this.parameters.flat);
    return copy;
  }

  encode(x) {
    return this._encode(x, {});
  }

  decode(z) {
    return this.F.sigmoid(this._decode(z, {}));
  }

  // The loss of images x with noise eps: sums over pixels or latent units and images. Leaves every
  // layer's output in `activations`. `visit` is called with each as soon as it is there, and may
  // change it.
  forward(x, eps, beta = 1, visit = () => {}) {
    this.given = [x, eps, beta];
    this._allocate(x.shape[0]);
    const a = this.activations;

    const [mean, log_var] = this._encode(x, a, visit);
    const z = this.F.reparameterize(mean, log_var, eps, a.z);
    visit("z", z);
    const logits = this._decode(z, a, visit);
    const y = this.F.sigmoid(logits, a.y);
    visit("y", y);
    const errors = this.F[this.loss.value](this.loss.takes_logits ? logits : y, x);

    const sum = (values) => values.reduce((total, value) => total + value, 0);
    const reconstruction = sum(errors);
    const kl = sum(this.F.kl_divergence(mean, log_var));
    return { total: this.total(reconstruction, kl, beta), reconstruction, kl };
  }

  // total = reconstruction + beta kl. (M5)
  total(reconstruction, kl, beta) {
    return reconstruction + beta * kl;
  }

  // d total / d parameter for the last forward, line by line as in model.py and network.py.
  backward() {
    const F = this.F;
    const [x, eps, beta] = this.given;
    const a = this.activations;
    const grad = this.activation_gradients;

    // The loss: (B10), or (B9) and, through the sigmoid, (B8).
    const loss_backward = F[this.loss.backward];
    if (this.loss.takes_logits) {
      loss_backward(a.logits, x, grad.logits);
    } else {
      loss_backward(a.y, x, grad.y);
      F.sigmoid_backward(grad.y, a.y, grad.logits);
    }

    // The decoder, last layer first: each linear layer is (B2), (B3) and (B4), each ReLU (B6).
    this._linear_backward("decoder3", grad.logits, a.h4, grad.h4);
    F.relu_backward(grad.h4, a.h4, grad.a4);
    this._linear_backward("decoder2", grad.a4, a.h3, grad.h3);
    F.relu_backward(grad.h3, a.h3, grad.a3);
    this._linear_backward("decoder1", grad.a3, a.z, grad.z);

    // Two paths lead to mean and log_var: through z, (B11) and (B12), and through the KL
    // divergence, (B13) and (B14). Their sums are (B15) and (B16).
    F.reparameterize_backward(grad.z, a.log_var, eps, [grad.mean, grad.log_var]);
    const [kl_mean, kl_log_var] = F.kl_divergence_backward(beta, a.mean, a.log_var);
    add(grad.mean, kl_mean);
    add(grad.log_var, kl_log_var);

    // The encoder, as the decoder; h2 feeds both heads, so its gradient is a sum of two: (B17).
    this._linear_backward("mean", grad.mean, a.h2, grad.h2);
    add(grad.h2, this._linear_backward("log_var", grad.log_var, a.h2, like(grad.h2)));
    F.relu_backward(grad.h2, a.h2, grad.a2);
    this._linear_backward("encoder2", grad.a2, a.h1, grad.h1);
    F.relu_backward(grad.h1, a.h1, grad.a1);
    this._linear_backward_parameters("encoder1", grad.a1, x); // x needs no gradient
    return this.gradients;
  }

  // d total / d x for the last backward. (B18)
  input_gradient() {
    const { activations: a, activation_gradients: grad } = this;
    const through_encoder = this.F.linear_backward_input(
      grad.a1,
      this.parameters["encoder1.weight"],
    );
    return add(through_encoder, this.through_loss());
  }

  through_loss() {
    const { activations: a, activation_gradients: grad } = this;
    const negative = this.loss.takes_logits ? a.logits : grad.y;
    return shaped(
      negative.map((g) => -g),
      negative.shape,
    );
  }

  _encode(x, out, visit) {
    const h1 = this._hidden("encoder1", x, out, "1", visit);
    const h2 = this._hidden("encoder2", h1, out, "2", visit);
    return ["mean", "log_var"].map((layer) => this._linear(layer, h2, out, layer, visit));
  }

  _decode(z, out, visit) {
    const h3 = this._hidden("decoder1", z, out, "3", visit);
    const h4 = this._hidden("decoder2", h3, out, "4", visit);
    return this._linear("decoder3", h4, out, "logits", visit);
  }

  _hidden(layer, x, out, number, visit = () => {}) {
    const a = this._linear(layer, x, out, `a${number}`, visit);
    const h = this.F.relu(a, out[`h${number}`]);
    visit(`h${number}`, h);
    return h;
  }

  _linear(layer, x, out, name, visit = () => {}) {
    const w = this.parameters;
    const y = this.F.linear(x, w[`${layer}.weight`], w[`${layer}.bias`], out[name]);
    visit(name, y);
    return y;
  }

  // dL/dW and dL/db go into `gradients`, dL/dx into `out`.
  _linear_backward(layer, grad_y, x, out) {
    this._linear_backward_parameters(layer, grad_y, x);
    return this.F.linear_backward_input(grad_y, this.parameters[`${layer}.weight`], out);
  }

  _linear_backward_parameters(layer, grad_y, x) {
    const g = this.gradients;
    this.F.linear_backward_parameters(grad_y, x, [g[`${layer}.weight`], g[`${layer}.bias`]]);
  }

  _allocate(rows) {
    const { x_dim, h_dim1, h_dim2, z_dim } = this;
    const widths = { a1: h_dim1, h1: h_dim1, a2: h_dim2, h2: h_dim2 };
    Object.assign(widths, { mean: z_dim, log_var: z_dim, z: z_dim });
    Object.assign(widths, { a3: h_dim2, h3: h_dim2, a4: h_dim1, h4: h_dim1 });
    Object.assign(widths, { logits: x_dim, y: x_dim });
    const allocate = () =>
      Object.fromEntries(
        Object.entries(widths).map(([name, width]) => [name, array([rows, width], this.Type)]),
      );
    this.buffers[rows] ??= [allocate(), allocate()];
    [this.activations, this.activation_gradients] = this.buffers[rows];
  }
}

// a += b
function add(a, b) {
  for (let i = 0; i < a.length; i++) a[i] += b[i];
  return a;
}
