// Arrays as NumPy has them: typed arrays that know their shape, row after row.
// Float64Array or Float32Array: every function works in the type of what it is given.

function array(shape, Type = Float64Array) {
  return shaped(new Type(shape.reduce((product, n) => product * n, 1)), shape);
}

function shaped(values, shape) {
  values.shape = shape;
  return values;
}

function like(a, shape = a.shape) {
  return array(shape, a.constructor);
}

// One contiguous vector, `flat`, seen as many named arrays: as in flat.py.
class FlatArrays {
  constructor(shapes, Type) {
    this.shapes = shapes;
    this.names = Object.keys(shapes);
    const sizes = this.names.map((name) => shapes[name].reduce((product, n) => product * n, 1));
    this.flat = new Type(sizes.reduce((sum, n) => sum + n, 0));
    let start = 0;
    this.names.forEach((name, i) => {
      this[name] = shaped(this.flat.subarray(start, start + sizes[i]), shapes[name]);
      start += sizes[i];
    });
  }
}

// The two matrix products, all of the time that the page takes. Several rows at once, so that each
// number that is fetched is used more than once. At an edge, rows are repeated instead of left out.

// out = a bᵀ. Shapes: a (rows, n), b (columns, n), out (rows, columns).
function matmul_transposed(a, b, out) {
  const [rows, n] = a.shape;
  const columns = b.shape[0];
  for (let r = 0; r < rows; r += 2) {
    const r1 = Math.min(r + 1, rows - 1);
    const a0 = r * n;
    const a1 = r1 * n;
    for (let c = 0; c < columns; c += 4) {
      const c1 = Math.min(c + 1, columns - 1);
      const c2 = Math.min(c + 2, columns - 1);
      const c3 = Math.min(c + 3, columns - 1);
      const b0 = c * n;
      const b1 = c1 * n;
      const b2 = c2 * n;
      const b3 = c3 * n;
      let s00 = 0,
        s01 = 0,
        s02 = 0,
        s03 = 0,
        s10 = 0,
        s11 = 0,
        s12 = 0,
        s13 = 0;
      for (let i = 0; i < n; i++) {
        const p = a[a0 + i];
        const q = a[a1 + i];
        const w0 = b[b0 + i];
        const w1 = b[b1 + i];
        const w2 = b[b2 + i];
        const w3 = b[b3 + i];
        s00 += p * w0;
        s01 += p * w1;
        s02 += p * w2;
        s03 += p * w3;
        s10 += q * w0;
        s11 += q * w1;
        s12 += q * w2;
        s13 += q * w3;
      }
      out[r * columns + c] = s00;
      out[r * columns + c1] = s01;
      out[r * columns + c2] = s02;
      out[r * columns + c3] = s03;
      out[r1 * columns + c] = s10;
      out[r1 * columns + c1] = s11;
      out[r1 * columns + c2] = s12;
      out[r1 * columns + c3] = s13;
    }
  }
  return out;
}

// out = a b, or aᵀ b. Shapes: a (rows, n), or (n, rows), b (n, columns), out (rows, columns).
function matmul(a, b, out, a_transposed = false) {
  const [n, columns] = b.shape;
  const rows = out.shape[0];
  const down = a_transposed ? 1 : n; // from one number of a to that below it in a, or in aᵀ
  const along = a_transposed ? rows : 1;
  out.fill(0);
  for (let k = 0; k < n; k += 4) {
    const k1 = k + 1 < n ? 1 : 0; // 0: this row of b does not exist, and its factors are 0
    const k2 = k + 2 < n ? 2 : 0;
    const k3 = k + 3 < n ? 3 : 0;
    const b0 = k * columns;
    const b1 = b0 + k1 * columns;
    const b2 = b0 + k2 * columns;
    const b3 = b0 + k3 * columns;
    for (let r = 0; r < rows; r += 2) {
      const p = r * down + k * along;
      const p0 = a[p];
      const p1 = k1 && a[p + along];
      const p2 = k2 && a[p + 2 * along];
      const p3 = k3 && a[p + 3 * along];
      const o = r * columns;
      if (r + 1 === rows) {
        for (let i = 0; i < columns; i++) {
          out[o + i] += p0 * b[b0 + i] + p1 * b[b1 + i] + p2 * b[b2 + i] + p3 * b[b3 + i];
        }
        break;
      }
      const q = p + down;
      const q0 = a[q];
      const q1 = k1 && a[q + along];
      const q2 = k2 && a[q + 2 * along];
      const q3 = k3 && a[q + 3 * along];
      const o1 = o + columns;
      for (let i = 0; i < columns; i++) {
        const w0 = b[b0 + i];
        const w1 = b[b1 + i];
        const w2 = b[b2 + i];
        const w3 = b[b3 + i];
        out[o + i] += p0 * w0 + p1 * w1 + p2 * w2 + p3 * w3;
        out[o1 + i] += q0 * w0 + q1 * w1 + q2 * w2 + q3 * w3;
      }
    }
  }
  return out;
}
