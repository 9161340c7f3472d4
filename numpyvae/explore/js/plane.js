// Two latent units as a plane: where the test images lie, the prior's circles, one image's q(z|x) as
// an ellipse, and its z, which can be dragged.

// Of the classes; a digit stands at the middle of each, so that nobody needs to tell ten colours
// apart.
const label_name = (run, label) => `${run.label_names?.[label] ?? label}`;
const label_colour = (label) => colour(`class${label % 10}`);

class Plane {
  // `moved` is given the new [z of the first unit, z of the second].
  constructor(canvas, { moved = null, height = 340 } = {}) {
    Object.assign(this, { canvas, moved, height, units: [0, 1], codes: null, labels: null });
    this.reach = 3.5;
    if (!moved) return;
    canvas.tabIndex = 0;
    canvas.setAttribute("role", "application");
    let dragging = false;
    const drag = (event) => {
      const box = canvas.getBoundingClientRect();
      const { scale, x0, y0 } = this.geometry();
      moved([
        (event.clientX - box.left - x0) / scale,
        this.flat ? 0 : (y0 - (event.clientY - box.top)) / scale,
      ]);
    };
    canvas.addEventListener("pointerdown", (event) => {
      dragging = true;
      canvas.setPointerCapture(event.pointerId);
      drag(event);
    });
    canvas.addEventListener("pointermove", (event) => dragging && drag(event));
    for (const end of ["pointerup", "pointercancel"]) {
      canvas.addEventListener(end, () => (dragging = false));
    }
    canvas.addEventListener("keydown", (event) => {
      const arrow = ARROWS[event.key];
      if (!arrow || !this.z) return;
      event.preventDefault();
      event.stopPropagation();
      const step = event.shiftKey ? 0.5 : 0.1;
      moved([this.z[0] + step * arrow[0], this.flat ? 0 : this.z[1] - step * arrow[1]]);
    });
  }

  // Codes (N, z_dim) of the test images of a run.
  show_codes(codes, run) {
    this.codes = codes;
    this.labels = run.test_labels;
    this.name_of = (label) => label_name(run, label);
    this.flat = codes.shape[1] === 1;
    const far = [];
    for (let i = 0; i < codes.shape[0]; i++) {
      far.push(Math.max(...this.point(codes, i).map(Math.abs)));
    }
    far.sort((a, b) => a - b);
    const most = Math.min(far.at(-1), 1.5 * far[Math.floor(0.98 * (far.length - 1))]);
    this.reach = Math.min(30, Math.max(3.4, 1.05 * most));
    this.backdrop = null;
  }

  // What the decoder draws all over the plane, in place of the paper; null takes it away.
  // `decode` is given latent vectors' [first unit, second unit] and returns their images.
  show_decoded(decode, [height, width], across = 13) {
    this.backdrop = null;
    this.decoded = null;
    if (!decode || this.flat) return;
    const at = Array.from({ length: across }, (_, i) => this.reach * ((2 * i + 1) / across - 1));
    const images = decode([...at].reverse().flatMap((up) => at.map((right) => [right, up])));
    this.decoded = document.createElement("canvas");
    paint(
      this.decoded,
      images,
      {
        columns: across * width,
        rows: across * height,
        place(i) {
          const [image, pixel] = [Math.floor(i / (height * width)), i % (height * width)];
          return [
            (image % across) * width + (pixel % width),
            Math.floor(image / across) * height + Math.floor(pixel / width),
          ];
        },
      },
      { grey: true },
    );
  }

  point(a, row) {
    const n = a.shape[1];
    return this.units.map((unit, axis) => (axis && this.flat ? 0 : a[row * n + unit]));
  }

  geometry() {
    const width = this.canvas.clientWidth || 340;
    const scale = Math.min(width, this.height) / 2 / this.reach;
    return { width, scale, x0: width / 2, y0: this.height / 2 };
  }

  // `one`: { mean, log_var, z } of the image that is shown, each (1, z_dim).
  draw(one) {
    const { width, scale, x0, y0 } = this.geometry();
    const dark = colour("paper");
    if (!this.backdrop || this.drawn !== `${width} ${dark}`) {
      this.drawn = `${width} ${dark}`;
      this.backdrop = document.createElement("canvas");
      this.draw_codes(blank(this.backdrop, width, this.height));
    }
    const context = blank(this.canvas, width, this.height);
    context.drawImage(this.backdrop, 0, 0, width, this.height);
    if (!one) return;
    const [mean, z] = [this.point(one.mean, 0), this.point(one.z, 0)];
    const std = this.point(one.log_var, 0).map((v) => Math.exp(v / 2));
    this.z = z;
    const ink = colour("ink");
    const place = ([a, b]) => [x0 + scale * a, y0 - scale * b];
    for (const deviations of [1, 2]) {
      const radius = std.map((s) => Math.min(1e4, Math.max(1, deviations * s * scale)));
      const path = new Path2D();
      path.ellipse(...place(mean), radius[0], this.flat ? 1 : radius[1], 0, 0, 2 * Math.PI);
      seen_everywhere(context, path, ink, deviations === 1 ? [] : [5, 4]);
    }
    const line = new Path2D();
    line.moveTo(...place(mean));
    line.lineTo(...place(z));
    seen_everywhere(context, line, ink);
    for (const [point, size, fill] of [
      [mean, 4, ink],
      [z, 9, colour("accent")],
    ]) {
      context.beginPath();
      context.arc(...place(point), size, 0, 2 * Math.PI);
      context.fillStyle = fill;
      context.fill();
      context.strokeStyle = colour("paper");
      context.stroke();
    }
    context.font = "bold 16px system-ui, sans-serif";
    outlined(context, "z", ...place(z).map((c, axis) => c + (axis ? -14 : 14)), ink);
  }

  draw_codes(context) {
    const { width, scale, x0, y0 } = this.geometry();
    const [line, ink] = [colour("faint"), colour("ink")];
    if (this.decoded) {
      const side = 2 * this.reach * scale;
      context.drawImage(this.decoded, x0 - side / 2, y0 - side / 2, side, side);
    }
    context.strokeStyle = line;
    context.lineWidth = 1;
    context.font = "13px system-ui, sans-serif";
    context.fillStyle = ink;
    for (const [x, y] of [
      [0, y0],
      [x0, 0],
    ]) {
      context.beginPath();
      context.moveTo(x, y);
      context.lineTo(x || width, y || this.height);
      if (!x) context.lineTo(width, y0);
      else context.lineTo(x0, this.height);
      context.stroke();
    }
    for (const radius of [1, 2, 3]) {
      Object.assign(context, { strokeStyle: line, lineWidth: 1 });
      context.beginPath();
      context.arc(x0, y0, radius * scale, 0, 2 * Math.PI);
      context.stroke();
      if (radius * scale > 24)
        outlined(context, `${radius}`, x0 + radius * scale + 8, y0 - 9, ink);
    }
    if (!this.codes) return;
    const means = {};
    for (let i = 0; i < this.codes.shape[0]; i++) {
      const [a, b] = this.point(this.codes, i);
      const label = this.labels ? this.labels[i] : 0;
      context.fillStyle = label_colour(label);
      context.beginPath();
      context.arc(x0 + scale * a, y0 - scale * b, 3.2, 0, 2 * Math.PI);
      context.fill();
      if (this.decoded) context.stroke();
      const mean = (means[label] ??= [0, 0, 0]);
      mean[0] += a;
      mean[1] += b;
      mean[2] += 1;
    }
    if (!this.labels) return;
    context.font = "bold 17px system-ui, sans-serif";
    for (const [label, [a, b, count]] of Object.entries(means)) {
      const fill = label_colour(label);
      const name = shortened(this.name_of(label), 24);
      outlined(context, name, x0 + (scale * a) / count, y0 - (scale * b) / count, fill);
    }
  }
}

function shortened(text, most) {
  return text.length > most ? `${text.slice(0, most - 1)}…` : text;
}

// A line on whatever lies below it: first wide, in the paper's colour.
function seen_everywhere(context, path, ink, dash = []) {
  for (const [style, width, pattern] of [
    [colour("paper"), 5, []],
    [ink, 2, dash],
  ]) {
    Object.assign(context, { strokeStyle: style, lineWidth: width });
    context.setLineDash(pattern);
    context.stroke(path);
  }
  context.setLineDash([]);
}

function outlined(context, text, x, y, fill) {
  context.textAlign = "center";
  context.textBaseline = "middle";
  context.lineWidth = 4;
  context.strokeStyle = colour("paper");
  context.strokeText(text, x, y);
  context.fillStyle = fill;
  context.fillText(text, x, y);
  context.textAlign = "left";
  context.textBaseline = "alphabetic";
}
