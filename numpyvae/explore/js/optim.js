// Adam with decoupled weight decay: optim.py, with its names.

class Adam {
  constructor(parameters, { lr = 1e-3, betas = [0.9, 0.999], eps = 1e-8, weight_decay = 0 } = {}) {
    Object.assign(this, { parameters, lr, betas, eps, weight_decay });
    this.steps = 0;
    this.gradient_sum = like(parameters.flat, [parameters.flat.length]);
    this.square_sum = like(parameters.flat, [parameters.flat.length]);
  }

  // Moves the parameters one step against `gradients`: (A1) and (A2) here, (A7) in `update`.
  step(gradients) {
    this.steps += 1;
    const [beta1, beta2] = this.betas;
    const g = gradients.flat;
    const m = this.gradient_sum;
    const v = this.square_sum;
    for (let i = 0; i < g.length; i++) {
      m[i] = beta1 * m[i] + g[i];
      v[i] = beta2 * v[i] + g[i] * g[i];
    }
    this.update(this.parameters.flat, m, v, ...this.constants());
  }

  // Step size, eps and decay: (A4), (A5) and (A6), with r of (A3).
  constants() {
    const [beta1, beta2] = this.betas;
    const r = Math.sqrt((1 - beta2 ** this.steps) / (1 - beta2));
    const step_size = (this.lr * r * (1 - beta1)) / (1 - beta1 ** this.steps);
    return [step_size, this.eps * r, 1 - this.lr * this.weight_decay];
  }

  update(p, m, v, step_size, eps, decay) {
    for (let i = 0; i < p.length; i++) {
      p[i] = decay * p[i] - (step_size * m[i]) / (Math.sqrt(v[i]) + eps);
    }
  }
}
