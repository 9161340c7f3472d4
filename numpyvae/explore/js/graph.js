// The whole model as a graph: the encoder goes down on the left, the decoder up on the right, and the
// loss stands between them. Boxes are buttons; arrows lie behind them.

const GRAPH_WIDTH = 376;

// Where the boxes are: [column's centre, row, width]. A box "encoder1.parameters" is a layer's weight
// and bias; a box like a1 is what enters the ReLU that h1 leaves.
function boxes(mse) {
  const [inner, outer] = mse ? ["y", "logits"] : ["logits", "y"];
  return {
    x: [66, 0, 132],
    "encoder1.parameters": [66, 1, 132],
    a1: [31, 2, 62],
    h1: [101, 2, 62],
    "encoder2.parameters": [66, 3, 132],
    a2: [31, 4, 62],
    h2: [101, 4, 62],
    "mean.parameters": [31, 5, 62],
    "log_var.parameters": [101, 5, 62],
    mean: [31, 6, 62],
    log_var: [101, 6, 62],
    z: [188, 7, 80],
    eps: [310, 7, 80],
    "decoder1.parameters": [310, 5, 132],
    a3: [275, 4, 62],
    h3: [345, 4, 62],
    "decoder2.parameters": [310, 3, 132],
    a4: [275, 2, 62],
    h4: [345, 2, 62],
    "decoder3.parameters": [310, 1, 132],
    [inner]: [275, 0, 62],
    [outer]: [345, 0, 62],
    reconstruction: [188, 0, 70],
    total: [188, 2, 70],
    kl: [188, 6, 64],
  };
}

// The arrows of the forward pass, and where each leaves one box and enters the other.
function arrows(mse) {
  return [
    ["x", "encoder1.parameters"],
    ["encoder1.parameters", "a1", "down"],
    ["a1", "h1"],
    ["h1", "encoder2.parameters", "down"],
    ["encoder2.parameters", "a2", "down"],
    ["a2", "h2"],
    ["h2", "mean.parameters", "down"],
    ["h2", "log_var.parameters", "down"],
    ["mean.parameters", "mean"],
    ["log_var.parameters", "log_var"],
    ["mean", "z", "under", -8],
    ["log_var", "z", "under", 8],
    ["mean", "kl", "around"],
    ["log_var", "kl"],
    ["eps", "z"],
    ["z", "decoder1.parameters", "up"],
    ["decoder1.parameters", "a3", "up"],
    ["a3", "h3"],
    ["h3", "decoder2.parameters", "up"],
    ["decoder2.parameters", "a4", "up"],
    ["a4", "h4"],
    ["h4", "decoder3.parameters", "up"],
    ["decoder3.parameters", "logits", "up"],
    ["logits", "y"],
    ["x", "reconstruction"],
    [mse ? "y" : "logits", "reconstruction"],
    ["reconstruction", "total"],
    ["kl", "total"],
  ];
}

const NODE_NAMES = {
  reconstruction: "reconstruction loss",
  kl: "KL divergence",
  total: "loss L",
};
const BOX_LABELS = { reconstruction: "recon.", kl: "KL", total: "L" };

class Graph {
  // `row` is the height of a row; `chosen` is given the name of a box that is clicked.
  constructor(vae, image_shape, { row = 62, chosen = () => {} } = {}) {
    Object.assign(this, { row, image_shape, vae, mse: !vae.loss.takes_logits });
    this.height = row - 16;
    const height = 8 * row - 8;
    const svg = (tag, attributes) => {
      const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
      for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
      return made;
    };
    this.drawing = svg("svg", {
      viewBox: `0 0 ${GRAPH_WIDTH} ${height}`,
      width: GRAPH_WIDTH,
      height,
      "aria-hidden": "true",
    });
    this.paths = {};
    this.heads = {};
    for (const [from, to, ...way] of arrows(this.mse)) {
      const points = this.way(from, to, ...way);
      this.paths[`${from}>${to}`] = svg("path", { d: `M${points.join("L")}`, class: "edge" });
      this.heads[`${from}>${to}`] = svg("path", { class: "head" });
      this.drawing.append(this.paths[`${from}>${to}`], this.heads[`${from}>${to}`]);
      this.points = { ...this.points, [`${from}>${to}`]: points };
    }
    this.boxes = {};
    this.root = element("div", { class: "graph", role: "group", "aria-label": "The network" });
    this.root.style.height = `${height}px`;
    this.root.append(this.drawing);
    for (const [name, [x, line, width]] of Object.entries(boxes(this.mse))) {
      const layer = name.endsWith(".parameters") ? name.split(".")[0] : null;
      const text = element("span", { class: "name" }, BOX_LABELS[name] ?? layer ?? name);
      const body = element("span", { class: "body" });
      const box = element("button", { type: "button", click: () => chosen(name) }, text, body);
      box.className = layer ? "box layer" : "box";
      Object.assign(box.style, {
        left: `${x - width / 2}px`,
        top: `${line * row}px`,
        width: `${width}px`,
        height: `${this.height}px`,
      });
      this.boxes[name] = { box, body };
      this.root.append(box);
    }
    this.light([], []);
  }

  // The corners of an arrow's way.
  way(from, to, kind, shift = 0) {
    const all = boxes(this.mse);
    const [[x1, r1, w1], [x2, r2, w2]] = [all[from], all[to]];
    const [top, middle, bottom] = [0, this.height / 2, this.height].map(
      (y) => (r) => r * this.row + y,
    );
    if (kind === "down")
      return [
        [clamp(x2, x1, w1), bottom(r1)],
        [clamp(x1, x2, w2), top(r2)],
      ];
    if (kind === "up") {
      const start = from === "z" ? [x1 + 24, top(r1)] : [clamp(x2, x1, w1), top(r1)];
      return [start, [from === "z" ? x2 - 30 : clamp(x1, x2, w2), bottom(r2)]];
    }
    if (kind === "under") {
      const [x, y] = [x1 + (from === "mean" ? 8 : 0), middle(r2) - shift];
      return [
        [x, bottom(r1)],
        [x, y],
        [x2 - w2 / 2, y],
      ];
    }
    if (kind === "around") {
      const y = bottom(r1) + 7;
      return [
        [x1 - 10, bottom(r1)],
        [x1 - 10, y],
        [x2, y],
        [x2, bottom(r2)],
      ];
    }
    if (x1 === x2)
      return r1 < r2
        ? [
            [x1, bottom(r1)],
            [x2, top(r2)],
          ]
        : [
            [x1, top(r1)],
            [x2, bottom(r2)],
          ];
    const sign = x1 < x2 ? 1 : -1;
    return [
      [x1 + (sign * w1) / 2, middle(r1)],
      [x2 - (sign * w2) / 2, middle(r2)],
    ];
  }

  // Lights the arrows where the backward pass runs, turned round, and the boxes that it computes.
  light(edges, names) {
    const lit = new Set(edges.map(([from, to]) => `${from}>${to}`));
    for (const [key, points] of Object.entries(this.points)) {
      const on = lit.has(key);
      this.paths[key].classList.toggle("lit", on);
      this.heads[key].classList.toggle("lit", on);
      const [end, before] = on ? [points[0], points[1]] : [points.at(-1), points.at(-2)];
      this.heads[key].setAttribute("d", head_of(before, end));
      if (on) this.drawing.append(this.paths[key], this.heads[key]);
    }
    for (const [name, { box }] of Object.entries(this.boxes)) {
      box.classList.toggle("lit", names.includes(name));
    }
  }

  // Lines of text in a box, and below them a gradient, if there is one.
  write(name, lines, gradient = "") {
    const place = this.boxes[name];
    place.canvas = null;
    place.body.replaceChildren(
      ...lines.map((line) => element("span", { class: "value" }, line)),
      ...(gradient ? [element("span", { class: "gradient" }, gradient)] : []),
    );
  }

  // An array as a small picture in its box.
  show(name, a, options) {
    const place = this.boxes[name];
    if (!place.canvas) {
      place.canvas = element("canvas", { "aria-hidden": "true" });
      place.body.replaceChildren(place.canvas);
    }
    const pixels = ["x", "y", "logits"].includes(name);
    const columns = Math.ceil(Math.sqrt(a.length * 2.4));
    const layout = pixels
      ? picture(name, a.shape, this.image_shape)
      : {
          columns,
          rows: Math.ceil(a.length / columns),
          place: (i) => [i % columns, Math.floor(i / columns)],
        };
    paint(place.canvas, a, layout, options);
  }

  // What a screen reader says of a box.
  say(name, text) {
    const { box } = this.boxes[name];
    if (box.ariaLabel !== text) box.ariaLabel = text;
  }
}

// The point of a box of this centre and width that lies nearest to x, a little away from its corner.
function clamp(x, centre, width) {
  return Math.max(centre - width / 2 + 8, Math.min(centre + width / 2 - 8, x));
}

function head_of([x1, y1], [x2, y2]) {
  const length = Math.hypot(x2 - x1, y2 - y1) || 1;
  const [ux, uy] = [(x2 - x1) / length, (y2 - y1) / length];
  const [bx, by] = [x2 - 7 * ux, y2 - 7 * uy];
  return `M${x2},${y2}L${bx - 4 * uy},${by + 4 * ux}L${bx + 4 * uy},${by - 4 * ux}Z`;
}
