// A drawing: strokes of points [column, row], and the image that a brush makes of them.

// How large images are, and where: the box around what is bright, [left, top, right, bottom] on
// average, and the width and height that nine of ten do not exceed.
function usual_box(images, [height, width]) {
  const boxes = [];
  for (let start = 0; start < images.length; start += height * width) {
    let [left, top, right, bottom] = [width, height, 0, 0];
    for (let i = 0; i < height * width; i++) {
      if (images[start + i] < 26) continue; // of 255
      const [column, row] = [i % width, Math.floor(i / width)];
      [left, top] = [Math.min(left, column), Math.min(top, row)];
      [right, bottom] = [Math.max(right, column + 1), Math.max(bottom, row + 1)];
    }
    if (right > left) boxes.push([left, top, right, bottom]);
  }
  if (!boxes.length) return { centre: [width / 2, height / 2], size: [width, height] };
  const mean = (of) => boxes.reduce((sum, box) => sum + of(box), 0) / boxes.length;
  const most = (of) => boxes.map(of).sort((a, b) => a - b)[Math.floor(0.9 * (boxes.length - 1))];
  return {
    centre: [0, 1].map((axis) => mean((box) => (box[axis] + box[axis + 2]) / 2)),
    size: [0, 1].map((axis) => most((box) => box[axis + 2] - box[axis])),
  };
}

const reach_of = ([height, width]) => Math.max(1.6, Math.min(height, width) / 14);

// Strokes moved and scaled, their proportions kept, to be as large as images usually are.
function placed(strokes, { centre, size }, shape) {
  const points = strokes.flat();
  const room = 2 * reach_of(shape);
  const ends = [0, 1].map((axis) => {
    const at = points.map((point) => point[axis]);
    return [Math.min(...at), Math.max(...at)];
  });
  const scales = ends.map(([low, high], axis) => Math.max(1, size[axis] - room) / (high - low));
  const scale = Math.min(3, ...scales);
  const place = (point) =>
    point.map((at, axis) => centre[axis] + scale * (at - (ends[axis][0] + ends[axis][1]) / 2));
  return strokes.map((stroke) => stroke.map(place));
}

// The image (1, pixels) of strokes.
function brushed(strokes, [height, width]) {
  const x = array([1, height * width]);
  const reach = reach_of([height, width]) + 0.3;
  for (const stroke of strokes) {
    stroke.forEach(([x1, y1], n) => {
      const [x0, y0] = stroke[Math.max(0, n - 1)];
      const [dx, dy] = [x1 - x0, y1 - y0];
      const length = dx * dx + dy * dy || 1;
      const [first, last] = [Math.min(y0, y1) - reach - 1, Math.max(y0, y1) + reach];
      for (let row = Math.max(0, Math.floor(first)); row < Math.min(height, last); row++) {
        for (let column = 0; column < width; column++) {
          const [px, py] = [column + 0.5 - x0, row + 0.5 - y0];
          const along = Math.max(0, Math.min(1, (px * dx + py * dy) / length));
          const distance = Math.hypot(px - along * dx, py - along * dy);
          const i = row * width + column;
          x[i] = Math.max(x[i], Math.min(1, Math.max(0, reach - distance)));
        }
      }
    });
  }
  return x;
}

// Where strokes are drawn, with the mouse, a finger, or arrow keys and space. `drawn` is called
// after each change of `strokes`.
class Pad {
  constructor(shape, drawn) {
    Object.assign(this, { shape, drawn, strokes: [] });
    this.map = new HeatMap(shape, {
      label: "Draw here, with the mouse, a finger, or arrow keys and space",
      width: 252,
    });
    const canvas = this.map.canvas;
    canvas.tabIndex = 0;
    canvas.setAttribute("role", "application");
    const at = (event) => {
      const box = canvas.getBoundingClientRect();
      return [
        ((event.clientX - box.left) / box.width) * shape[1],
        ((event.clientY - box.top) / box.height) * shape[0],
      ];
    };
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      this.set([...this.strokes, [at(event)]]);
    });
    canvas.addEventListener("pointermove", (event) => {
      if (!event.buttons) return;
      const [stroke, point] = [this.strokes.at(-1), at(event)];
      if (!stroke) return;
      const [x, y] = stroke.at(-1);
      if (Math.hypot(point[0] - x, point[1] - y) < 0.4) return;
      stroke.push(point);
      this.set(this.strokes);
    });
    canvas.addEventListener("keydown", (event) => {
      const arrow = ARROWS[event.key];
      if (!arrow && event.key !== " ") return;
      event.preventDefault();
      const [column, row] = this.map.layout.place(this.map.selected);
      if (!arrow) return this.set([...this.strokes, [[column + 0.5, row + 0.5]]]);
      const inside = (n, size) => Math.max(0, Math.min(size - 1, n));
      this.map.select(
        this.map.layout.entry(
          inside(column + arrow[0], shape[1]),
          inside(row + arrow[1], shape[0]),
        ),
      );
    });
    this.show();
  }

  set(strokes) {
    this.strokes = strokes;
    this.show();
    this.drawn();
  }

  show() {
    this.map.show("x", brushed(this.strokes, this.shape), { grey: true });
  }
}
