// Random numbers from a seed, so that what is shown can be shown again.

class Random {
  constructor(seed) {
    this.state = seed >>> 0;
  }

  // Uniform in [0, 1): a counter, mixed (the finalizer of MurmurHash3).
  uniform() {
    this.state = (this.state + 0x9e3779b9) >>> 0;
    let bits = this.state;
    bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
    bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
    return ((bits ^ (bits >>> 16)) >>> 0) / 2 ** 32;
  }

  // From N(0, 1), by the method of Box and Muller.
  normal() {
    const radius = Math.sqrt(-2 * Math.log(1 - this.uniform()));
    return radius * Math.cos(2 * Math.PI * this.uniform());
  }

  normals(shape, Type) {
    const a = array(shape, Type);
    for (let i = 0; i < a.length; i++) a[i] = this.normal();
    return a;
  }

  // The numbers 0 to n - 1 in random order.
  permutation(n) {
    const order = Array.from({ length: n }, (_, i) => i);
    for (let i = n - 1; i > 0; i--) {
      const j = Math.floor(this.uniform() * (i + 1));
      [order[i], order[j]] = [order[j], order[i]];
    }
    return order;
  }
}
