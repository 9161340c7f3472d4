// Arrays as pictures: blue negative, orange positive, zero the colour of the paper.

// Where the entries of an array lie in its picture. An array with one number per pixel is shown as
// images, one beside the other; a row vector is folded; anything else is the matrix that it is.
// Returns { columns, rows, place(i): [column, row], entry(column, row): i or -1 }.
function picture(name, shape, [height, width]) {
  const pixels = height * width;
  const size = shape.reduce((product, n) => product * n, 1);
  const last = ["x", "y", "logits", "encoder1.weight"].includes(name);
  const first = ["decoder3.weight", "decoder3.bias"].includes(name);
  if (last || first) {
    const count = size / pixels;
    const across = count === 1 ? 1 : Math.ceil(Math.sqrt((count * height) / width) * 1.4);
    const tile = (i) => (last ? Math.floor(i / pixels) : i % count);
    const pixel = (i) => (last ? i % pixels : Math.floor(i / count));
    return {
      columns: Math.min(across, count) * (width + 1) - 1,
      rows: Math.ceil(count / across) * (height + 1) - 1,
      place: (i) => [
        (tile(i) % across) * (width + 1) + (pixel(i) % width),
        Math.floor(tile(i) / across) * (height + 1) + Math.floor(pixel(i) / width),
      ],
      entry(column, row) {
        const [c, r] = [column % (width + 1), row % (height + 1)];
        const t = Math.floor(row / (height + 1)) * across + Math.floor(column / (width + 1));
        if (c === width || r === height || t >= count) return -1;
        const p = r * width + c;
        return last ? t * pixels + p : p * count + t;
      },
    };
  }
  const flat = shape.length === 1 || shape[0] === 1;
  const columns = flat ? Math.min(size, size <= 16 ? 8 : size <= 128 ? 16 : 32) : shape[1];
  return {
    columns,
    rows: Math.ceil(size / columns),
    place: (i) => [i % columns, Math.floor(i / columns)],
    entry: (column, row) => (row * columns + column < size ? row * columns + column : -1),
  };
}

// Which numbers an entry stands at: "3", or "3, 17" in a matrix; a pixel by row and column.
function place_text(name, shape, i, [height, width]) {
  if (["x", "y", "logits", "decoder3.bias"].includes(name)) {
    const pixels = height * width;
    const of_many = shape.length > 1 && shape[0] > 1;
    const pixel = i % pixels;
    const image = of_many ? `${Math.floor(i / pixels)}, ` : "";
    return `${image}${pixel}: row ${Math.floor(pixel / width)}, column ${pixel % width}`;
  }
  const columns = shape[shape.length - 1];
  return shape.length === 1 || shape[0] === 1
    ? `${i}`
    : `${Math.floor(i / columns)}, ${i % columns}`;
}

// The colours of a value between -1 and 1, as a table of 511 entries; grey ones for images.
const COLOURS = {};
function colours(grey) {
  const kind = grey ? "grey" : colour("zero");
  return (COLOURS[kind] ??= Array.from({ length: 511 }, (_, n) => {
    const value = (n - 255) / 255;
    if (grey) return Array(3).fill(Math.round(255 * Math.max(0, value)));
    const [zero, end] = [rgb(colour("zero")), rgb(colour(value < 0 ? "negative" : "positive"))];
    const share = Math.abs(value) ** 0.7; // small values, too, can be told from zero
    return zero.map((from, c) => Math.round(from + share * (end[c] - from)));
  }));
}

// Paints an array into a canvas of one dot per entry. `limit` is the value of full colour.
function paint(canvas, a, layout, { grey = false, limit } = {}) {
  if (canvas.width !== layout.columns || canvas.height !== layout.rows) {
    canvas.width = layout.columns;
    canvas.height = layout.rows;
  }
  const context = canvas.getContext("2d");
  const image = context.createImageData(layout.columns, layout.rows);
  const table = colours(grey);
  const full = grey ? 1 : (limit ?? largest(a));
  for (let i = 0; i < a.length; i++) {
    const [column, row] = layout.place(i);
    const share = full > 0 ? Math.max(-1, Math.min(1, a[i] / full)) : 0;
    const dot = 4 * (row * layout.columns + column);
    const [red, green, blue] = table[Math.round(255 * (share || 0)) + 255];
    image.data[dot] = red;
    image.data[dot + 1] = green;
    image.data[dot + 2] = blue;
    image.data[dot + 3] = 255;
  }
  context.putImageData(image, 0, 0);
}

function largest(a) {
  let most = 0;
  for (let i = 0; i < a.length; i++) most = Math.max(most, Math.abs(a[i]));
  return most;
}

// An array as a picture whose entries can be pointed at, with the mouse, a finger or arrow keys.
// `pointed` is given the entry's index.
class HeatMap {
  constructor(image_shape, { label, width = 340, pointed = null } = {}) {
    this.image_shape = image_shape;
    this.width = width;
    this.canvas = element("canvas", { role: "img", "aria-label": label });
    this.cursor = element("span", { class: "cursor", hidden: true });
    this.root = element("div", { class: "heat" }, this.canvas, this.cursor);
    this.selected = 0;
    if (pointed) {
      const point = (event) => {
        const box = this.canvas.getBoundingClientRect();
        const column = Math.floor(((event.clientX - box.left) / box.width) * this.canvas.width);
        const row = Math.floor(((event.clientY - box.top) / box.height) * this.canvas.height);
        const i = this.layout.entry(column, row);
        if (i >= 0) this.select(i, pointed);
      };
      this.canvas.tabIndex = 0;
      this.canvas.setAttribute("role", "application");
      this.canvas.addEventListener("pointerdown", point);
      this.canvas.addEventListener("pointermove", (event) => event.buttons && point(event));
      this.canvas.addEventListener("keydown", (event) => {
        const [columns, rows] = ARROWS[event.key] ?? [0, 0];
        if (!columns && !rows) return;
        event.preventDefault();
        event.stopPropagation();
        let [column, row] = this.layout.place(this.selected);
        let i = -1;
        do {
          column += columns;
          row += rows;
          if (column < 0 || row < 0 || column >= this.layout.columns || row >= this.layout.rows)
            return;
          i = this.layout.entry(column, row);
        } while (i < 0);
        this.select(i, pointed);
      });
    }
  }

  show(name, a, options = {}) {
    const key = `${name} ${a.shape}`;
    if (this.key !== key) {
      this.key = key;
      this.layout = picture(name, a.shape, this.image_shape);
      this.selected = Math.min(this.selected, a.length - 1);
      const { columns, rows } = this.layout;
      const scale = Math.min(
        this.width / columns,
        columns <= 8 ? 34 : columns <= 16 ? 20 : 12,
        320 / rows,
      );
      this.canvas.style.width = `${Math.round(columns * scale)}px`;
      this.canvas.style.aspectRatio = `${columns} / ${rows}`;
    }
    paint(this.canvas, a, this.layout, options);
  }

  select(i, pointed) {
    this.selected = i;
    const [column, row] = this.layout.place(i);
    const { columns, rows } = this.layout;
    const style = this.cursor.style;
    this.cursor.hidden = false;
    style.left = `${(100 * column) / columns}%`;
    style.top = `${(100 * row) / rows}%`;
    style.width = `${100 / columns}%`;
    style.height = `${100 / rows}%`;
    pointed?.(i);
  }
}

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
