// The book's mistakes that still train, by the names that they have there. Each is wrong functions
// that take the place of right ones in F, in the model, or in Adam; F keeps the right ones.

const MISTAKES = {
  "exp(log_var) as the standard deviation": () => ({
    F: {
      reparameterize: (mean, log_var, eps, out) =>
        F.reparameterize(mean, times(2, log_var), eps, out),
      reparameterize_backward(grad_z, log_var, eps, out) {
        F.reparameterize_backward(grad_z, times(2, log_var), eps, out);
        times(2, out[1], out[1]);
        return out;
      },
    },
  }),
  "mean instead of sum in the KL": (vae) => ({
    F: {
      kl_divergence: (...given) => times(1 / vae.z_dim, F.kl_divergence(...given)),
      kl_divergence_backward: (grad_kl, ...given) =>
        F.kl_divergence_backward(grad_kl / vae.z_dim, ...given),
    },
  }),
  "mean instead of sum in the squared error": (vae) => ({
    F: {
      squared_error: (y, x) => times(1 / vae.x_dim, F.squared_error(y, x)),
      squared_error_backward: (y, x, out) =>
        times(1 / vae.x_dim, F.squared_error_backward(y, x, out), out),
    },
  }),
  "a missing 1/2 in the KL": () => ({
    F: {
      kl_divergence: (...given) => times(2, F.kl_divergence(...given)),
      kl_divergence_backward: (grad_kl, ...given) =>
        F.kl_divergence_backward(2 * grad_kl, ...given),
    },
  }),
  "beta missing in the total": () => ({
    vae: { total: (reconstruction, kl) => reconstruction + kl },
  }),
  "noise drawn anew in the backward pass": () => {
    const random = new Random(1);
    return {
      F: {
        reparameterize_backward: (grad_z, log_var, eps, out) =>
          F.reparameterize_backward(grad_z, log_var, random.normals(eps.shape), out),
      },
    };
  },
  "a missing 1/2 in z's path into log_var": () => ({
    F: {
      reparameterize_backward: (...given) =>
        changed(F.reparameterize_backward(...given), (grad_mean, grad_log_var) =>
          times(2, grad_log_var, grad_log_var),
        ),
    },
  }),
  "a missing 1/2 in the KL's path into log_var": () => ({
    F: {
      kl_divergence_backward: (...given) =>
        changed(F.kl_divergence_backward(...given), (grad_mean, grad_log_var) =>
          times(2, grad_log_var, grad_log_var),
        ),
    },
  }),
  "the -1 missing in the KL's path into log_var": () => ({
    F: {
      kl_divergence_backward: (grad_kl, ...given) =>
        changed(F.kl_divergence_backward(grad_kl, ...given), (grad_mean, grad_log_var) => {
          for (let i = 0; i < grad_log_var.length; i++) grad_log_var[i] += 0.5 * grad_kl;
        }),
    },
  }),
  "the KL's path into log_var forgotten": () => ({
    F: {
      kl_divergence_backward: (...given) =>
        changed(F.kl_divergence_backward(...given), (grad_mean, grad_log_var) =>
          grad_log_var.fill(0),
        ),
    },
  }),
  "z's path into log_var forgotten": () => ({
    F: {
      reparameterize_backward: (...given) =>
        changed(F.reparameterize_backward(...given), (grad_mean, grad_log_var) =>
          grad_log_var.fill(0),
        ),
    },
  }),
  "the KL's path into mean forgotten": () => ({
    F: {
      kl_divergence_backward: (...given) =>
        changed(F.kl_divergence_backward(...given), (grad_mean) => grad_mean.fill(0)),
    },
  }),
  "beta missing in the backward pass": () => ({
    F: {
      kl_divergence_backward: (grad_kl, ...given) => F.kl_divergence_backward(1, ...given),
    },
  }),
  "only one head's gradient reaches h2": (vae) => ({
    F: {
      linear_backward_input: (grad_y, weight, out) =>
        weight === vae.parameters["log_var.weight"]
          ? out.fill(0)
          : F.linear_backward_input(grad_y, weight, out),
    },
  }),
  "the factor 2 missing in the squared error's gradient": () => ({
    F: {
      squared_error_backward: (y, x, out) => times(0.5, F.squared_error_backward(y, x, out), out),
    },
  }),
  "the sigmoid's derivative forgotten": () => ({
    F: { sigmoid_backward: (grad_y, y, out) => times(1, grad_y, out) },
  }),
  "the sigmoid's derivative counted twice": () => ({
    F: {
      bernoulli_cross_entropy_backward: (logits, x, out) =>
        F.sigmoid_backward(F.bernoulli_cross_entropy_backward(logits, x), F.sigmoid(logits), out),
    },
  }),
  "x only as the encoder's input": () => ({
    vae: {
      through_loss() {
        return like(this.given[0]);
      },
    },
  }),
  "ReLU's mask from the wrong layer": (vae) => ({
    F: {
      relu_backward: (grad_y, y, out) =>
        F.relu_backward(grad_y, y === vae.activations.h4 ? vae.activations.h1 : y, out),
    },
  }),
  "ReLU forgotten in the backward pass": (vae) => ({
    F: {
      relu_backward: (grad_y, y, out) =>
        y === vae.activations.h3 ? times(1, grad_y, out) : F.relu_backward(grad_y, y, out),
    },
  }),
  "the bias gradients forgotten": () => ({
    F: {
      linear_backward_parameters: (...given) =>
        changed(F.linear_backward_parameters(...given), (grad_weight, grad_bias) =>
          grad_bias.fill(0),
        ),
    },
  }),
  "mean instead of sum in the bias gradients": () => ({
    F: {
      linear_backward_parameters: (grad_y, ...given) =>
        changed(F.linear_backward_parameters(grad_y, ...given), (grad_weight, grad_bias) =>
          times(1 / grad_y.shape[0], grad_bias, grad_bias),
        ),
    },
  }),
  "a transposed weight gradient": () => ({
    F: {
      linear_backward_parameters(grad_y, x, out) {
        const [grad_weight, grad_bias] = F.linear_backward_parameters(grad_y, x, out);
        const n = x.shape[1];
        if (n === grad_y.shape[1]) {
          grad_weight.set(grad_weight.map((_, i) => grad_weight[(i % n) * n + Math.floor(i / n)]));
        }
        return [grad_weight, grad_bias];
      },
    },
  }),
  "a weight gradient from the layer's output": (vae) => ({
    F: {
      linear_backward_parameters: (grad_y, x, out) =>
        F.linear_backward_parameters(
          grad_y,
          x === vae.activations.h3 ? vae.activations.h4 : x,
          out,
        ),
    },
  }),
  "no bias correction in Adam": () => ({
    adam: {
      constants() {
        const [beta1, beta2] = this.betas;
        const r = Math.sqrt(1 / (1 - beta2));
        return [this.lr * r * (1 - beta1), this.eps * r, 1 - this.lr * this.weight_decay];
      },
    },
  }),
  "steps counted from 2": () => ({
    adam: {
      step(gradients) {
        this.steps = Math.max(this.steps, 1);
        Adam.prototype.step.call(this, gradients);
      },
    },
  }),
  "L2 instead of decoupled weight decay": () => ({
    adam: {
      step(gradients) {
        const p = this.parameters.flat;
        const flat = gradients.flat.map((g, i) => g + this.weight_decay * p[i]);
        Adam.prototype.step.call(this, { flat });
      },
      constants() {
        const [step_size, eps] = Adam.prototype.constants.call(this);
        return [step_size, eps, 1];
      },
    },
  }),
  "weight decay not scaled by the learning rate": () => ({
    adam: {
      constants() {
        const [step_size, eps] = Adam.prototype.constants.call(this);
        return [step_size, eps, 1 - this.weight_decay];
      },
    },
  }),
  "eps inside the square root": () => ({
    adam: {
      update(p, m, v, step_size, eps, decay) {
        const [, beta2] = this.betas;
        const inside = (this.eps * (1 - beta2 ** this.steps)) / (1 - beta2);
        for (let i = 0; i < p.length; i++) {
          p[i] = decay * p[i] - (step_size * m[i]) / Math.sqrt(v[i] + inside);
        }
      },
    },
  }),
  "beta1 and beta2 exchanged": () => ({
    adam: {
      step(gradients) {
        const [beta1, beta2] = this.betas;
        this.betas = [beta2, beta1];
        Adam.prototype.step.call(this, gradients);
        this.betas = [beta1, beta2];
      },
    },
  }),
};

// Puts a mistake into a model and its optimizer, or with null takes the one that is there out.
function plant(name, vae, adam = null) {
  vae.F = F;
  for (const object of [vae, adam]) {
    for (const key of object?.planted ?? []) delete object[key];
  }
  if (name === null) return;
  const wrong = MISTAKES[name](vae);
  vae.F = { ...F, ...wrong.F };
  for (const [object, methods] of [
    [vae, wrong.vae ?? {}],
    [adam, wrong.adam ?? {}],
  ]) {
    if (object) Object.assign(object, methods, { planted: Object.keys(methods) });
  }
}

// What two models make of the same images and noise: the relative error of each of the losses and
// gradients, by name, in the order in which the backward pass finds them; 0 where they agree.
function differences(right, wrong, x, eps, beta) {
  const [expected, found] = [right, wrong].map((vae) => {
    const loss = vae.forward(x, eps, beta);
    const gradients = vae.backward();
    const { mean, log_var, z } = vae.activation_gradients;
    const losses = Object.entries(loss).map(([name, value]) => [name, [value]]);
    const layer = (name) =>
      ["weight", "bias"].map((kind) => [`${name}.${kind}`, gradients[`${name}.${kind}`]]);
    return Object.fromEntries([
      ...losses,
      ...["decoder3", "decoder2", "decoder1"].flatMap(layer),
      ...Object.entries({ z, mean, log_var }),
      ...["mean", "log_var", "encoder2", "encoder1"].flatMap(layer),
      ["x", vae.input_gradient()],
    ]);
  });
  const errors = {};
  for (const [name, array] of Object.entries(expected)) {
    const difference = norm(found[name].map((value, i) => value - array[i]));
    const size = norm(array);
    errors[name] = difference <= 1e-10 * size ? 0 : size ? difference / size : Infinity;
  }
  return errors;
}

function norm(a) {
  return Math.sqrt(a.reduce((sum, value) => sum + value * value, 0));
}

function times(factor, a, out = a.shape ? like(a) : a) {
  for (let i = 0; i < a.length; i++) out[i] = factor * a[i];
  return out;
}

function changed(arrays, change) {
  change(...arrays);
  return arrays;
}
