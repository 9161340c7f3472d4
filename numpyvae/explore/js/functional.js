// The mathematics: functional.py, in its order and with its names. Every operation's forward pass,
// its hand-derived backward pass right below. A number such as (B2) is that of an equation.
//
// A batch is rows, weights are (out, in), losses are summed over pixels or latent units and
// returned per image, and grad_y stands for dL/dy, where L is the sum of the losses.

const F = {
  // y = x Wᵀ + b. (B1)
  linear(x, weight, bias, out = like(x, [x.shape[0], weight.shape[0]])) {
    const y = matmul_transposed(x, weight, out);
    const n = bias.length;
    for (let row = 0; row < y.length; row += n) {
      for (let o = 0; o < n; o++) y[row + o] += bias[o];
    }
    return y;
  },

  // dL/dW = grad_yᵀ x (B2) and dL/db = the sum of grad_y over the batch (B3).
  linear_backward_parameters(grad_y, x, out = [null, null]) {
    const n = grad_y.shape[1];
    const grad_weight = matmul(grad_y, x, out[0] ?? like(x, [n, x.shape[1]]), true);
    const grad_bias = (out[1] ?? like(x, [n])).fill(0);
    for (let row = 0; row < grad_y.length; row += n) {
      for (let o = 0; o < n; o++) grad_bias[o] += grad_y[row + o];
    }
    return [grad_weight, grad_bias];
  },

  // dL/dx = grad_y W. (B4)
  linear_backward_input(grad_y, weight, out = like(grad_y, [grad_y.shape[0], weight.shape[1]])) {
    return matmul(grad_y, weight, out);
  },

  // y = max(x, 0), elementwise. (B5)
  relu(x, out = like(x)) {
    for (let i = 0; i < x.length; i++) out[i] = Math.max(x[i], 0);
    return out;
  },

  // dL/dx = grad_y where y > 0, else 0. (B6)
  relu_backward(grad_y, y, out = like(grad_y)) {
    for (let i = 0; i < y.length; i++) out[i] = y[i] > 0 ? grad_y[i] : 0;
    return out;
  },

  // y = 1 / (1 + exp(-a)), elementwise. (B7)
  sigmoid(a, out = like(a)) {
    for (let i = 0; i < a.length; i++) out[i] = 1 / (1 + Math.exp(-a[i]));
    return out;
  },

  // dL/da = grad_y y (1 - y). (B8)
  sigmoid_backward(grad_y, y, out = like(grad_y)) {
    for (let i = 0; i < y.length; i++) out[i] = grad_y[i] * y[i] * (1 - y[i]);
    return out;
  },

  // z = mean + exp(log_var / 2) eps. (M1)
  reparameterize(mean, log_var, eps, out = like(mean)) {
    for (let i = 0; i < mean.length; i++) out[i] = mean[i] + Math.exp(log_var[i] / 2) * eps[i];
    return out;
  },

  // dL/dmean = grad_z (B11) and dL/dlog_var = grad_z eps exp(log_var / 2) / 2 (B12).
  reparameterize_backward(grad_z, log_var, eps, out = [like(grad_z), like(grad_z)]) {
    const [grad_mean, grad_log_var] = out;
    grad_mean.set(grad_z);
    for (let i = 0; i < grad_z.length; i++) {
      grad_log_var[i] = (grad_z[i] * eps[i] * Math.exp(log_var[i] / 2)) / 2;
    }
    return out;
  },

  // KL(N(mean, exp(log_var)) || N(0, I)) = 1/2 sum(mean² + exp(log_var) - 1 - log_var). (M2)
  kl_divergence(mean, log_var) {
    return sum_rows(
      mean.shape,
      (i) => 0.5 * (mean[i] ** 2 + (Math.expm1(log_var[i]) - log_var[i])),
    );
  },

  // dL/dmean = grad_kl mean (B13) and dL/dlog_var = grad_kl (exp(log_var) - 1) / 2 (B14).
  kl_divergence_backward(grad_kl, mean, log_var, out = [like(mean), like(mean)]) {
    const [grad_mean, grad_log_var] = out;
    for (let i = 0; i < mean.length; i++) {
      grad_mean[i] = grad_kl * mean[i];
      grad_log_var[i] = 0.5 * grad_kl * Math.expm1(log_var[i]);
    }
    return out;
  },

  // sum((y - x)²) over the pixels. (M3)
  squared_error(y, x) {
    return sum_rows(y.shape, (i) => (y[i] - x[i]) ** 2);
  },

  // dL/dy = 2 (y - x). (B9)
  squared_error_backward(y, x, out = like(y)) {
    for (let i = 0; i < y.length; i++) out[i] = 2 * (y[i] - x[i]);
    return out;
  },

  // -sum(x log y + (1 - x) log(1 - y)) over the pixels, where y = sigmoid(logits). With a = logits,
  // a pixel costs ([a > 0] - x) a + log(1 + exp(-|a|)). (M4)
  bernoulli_cross_entropy(logits, x) {
    return sum_rows(logits.shape, (i) => {
      const a = logits[i];
      return ((a > 0) - x[i]) * a + Math.log1p(Math.exp(-Math.abs(a)));
    });
  },

  // dL/dlogits = sigmoid(logits) - x. (B10)
  bernoulli_cross_entropy_backward(logits, x, out = like(logits)) {
    F.sigmoid(logits, out);
    for (let i = 0; i < out.length; i++) out[i] -= x[i];
    return out;
  },
};

// The sum of each row of an array of this shape, whose entries are given by their index.
function sum_rows([rows, columns], entry) {
  const sums = new Float64Array(rows);
  for (let row = 0, i = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++, i++) sums[row] += entry(i);
  }
  return sums;
}
