// Estimators of one gradient: right on average over eps, and noisy each in its own way. As the
// mistakes, each is functions that take the place of those in F.

const ESTIMATORS = {
  // What VAE.backward computes.
  "exact KL": () => ({}),

  // KL = log q(z|x) - log p(z) at the z that was drawn, through z and through q's own mean and
  // log_var: IWAE with one sample.
  "sampled KL": (vae) => ({
    kl_divergence_backward(grad_kl, mean, log_var, out = [like(mean), like(mean)]) {
      const [{ z }, [, eps]] = [vae.activations, vae.given];
      for (let i = 0; i < z.length; i++) {
        out[0][i] = grad_kl * z[i];
        out[1][i] = (grad_kl * (z[i] * eps[i] * Math.exp(log_var[i] / 2) - 1)) / 2;
      }
      return out;
    },
  }),

  // The same, through z alone: the rest is 0 on average (Roeder et al., 2017).
  "sampled KL, sticking the landing": (vae) => ({
    kl_divergence_backward(grad_kl, mean, log_var, out = [like(mean), like(mean)]) {
      const [{ z }, [, eps]] = [vae.activations, vae.given];
      for (let i = 0; i < z.length; i++) {
        const std = Math.exp(log_var[i] / 2);
        out[0][i] = grad_kl * (z[i] - eps[i] / std);
        out[1][i] = (out[0][i] * eps[i] * std) / 2;
      }
      return out;
    },
  }),

  // No derivative of the decoder: an image's reconstruction loss times that of log q(z|x), z fixed.
  "exact KL, score function": (vae) => ({
    reparameterize_backward(grad_z, log_var, eps, out = [like(grad_z), like(grad_z)]) {
      const { activations: a, loss, given } = vae;
      const losses = F[loss.value](loss.takes_logits ? a.logits : a.y, given[0]);
      for (let i = 0; i < eps.length; i++) {
        const of_image = losses[Math.floor(i / eps.shape[1])];
        out[0][i] = (of_image * eps[i]) / Math.exp(log_var[i] / 2);
        out[1][i] = (of_image * (eps[i] ** 2 - 1)) / 2;
      }
      return out;
    },
  }),
};

// The mean of arrays and the standard deviation of each entry, one array after the other.
class Average {
  constructor() {
    this.count = 0;
  }

  add(a) {
    this.mean ??= like(a);
    this.squares ??= like(a); // of the distances from the mean, summed
    this.count += 1;
    for (let i = 0; i < a.length; i++) {
      const distance = a[i] - this.mean[i];
      this.mean[i] += distance / this.count;
      this.squares[i] += distance * (a[i] - this.mean[i]);
    }
  }

  deviation() {
    return shaped(
      this.squares.map((square) => Math.sqrt(square / (this.count - 1))),
      this.mean.shape,
    );
  }
}

// The gradients that a step of the backward pass finds, over draws of eps, by every estimator.
class Averages {
  constructor(vae, x, beta, step, seed = 1) {
    Object.assign(this, { vae, x, beta, step, count: 0, random: new Random(seed) });
    this.of = Object.fromEntries(Object.keys(ESTIMATORS).map((name) => [name, []]));
  }

  draw(eps = this.random.normals([this.x.shape[0], this.vae.z_dim])) {
    const { vae } = this;
    vae.forward(this.x, eps, this.beta);
    for (const [name, averages] of Object.entries(this.of)) {
      vae.F = { ...F, ...ESTIMATORS[name](vae) };
      vae.backward();
      const { results } = backward_steps(vae)[this.step];
      results.forEach(({ array: found }, i) => (averages[i] ??= new Average()).add(found));
    }
    vae.F = F;
    this.count += 1;
  }
}
