// A plot of a few lines, on linear or logarithmic axes.

// series: [{ name, colour, dash, points: [[x, y], ...] }]. Names are written at the top, each with a
// piece of its line; `mark` is a point [x, y] to draw a dot at.
function plot(canvas, series, { x_label, y_label, x_log, y_log, mark, height = 230, label } = {}) {
  const width = canvas.clientWidth || 340;
  const context = blank(canvas, width, height);
  const [ink, faint] = [colour("ink"), colour("line")];
  const good = ([x, y]) =>
    Number.isFinite(x) && Number.isFinite(y) && (!x_log || x > 0) && (!y_log || y > 0);
  const all = series.flatMap(({ points }) => points.filter(good));
  canvas.setAttribute("aria-label", label ?? `${y_label} against ${x_label}`);
  context.font = "13px system-ui, sans-serif";
  context.fillStyle = ink;
  if (all.length < 2) {
    context.fillText("The curve begins with the first steps.", 12, height / 2);
    return;
  }

  const scale = (values, log) => {
    const [low, high] = [Math.min(...values), Math.max(...values)].map((v) =>
      log ? Math.log10(v) : v,
    );
    const room = 0.04 * (high - low) || Math.abs(high) * 0.1 || 1;
    return { low: low - room, high: high + room, log };
  };
  const [sx, sy] = [
    scale(
      all.map(([x]) => x),
      x_log,
    ),
    scale(
      all.map(([, y]) => y),
      y_log,
    ),
  ];
  const [left, right, top, bottom] = [62, width - 12, 30 + 18 * (rows_of_names() - 1), height - 40];
  const to =
    ({ low, high, log }, start, end) =>
    (value) =>
      start + (((log ? Math.log10(value) : value) - low) / (high - low)) * (end - start);
  const [px, py] = [to(sx, left, right), to(sy, bottom, top)];

  context.strokeStyle = faint;
  context.lineWidth = 1;
  context.textAlign = "center";
  for (const tick of ticks(sx, 5)) {
    context.beginPath();
    context.moveTo(px(tick), top);
    context.lineTo(px(tick), bottom);
    context.stroke();
    context.fillText(tick_text(tick, x_log), px(tick), bottom + 16);
  }
  context.textAlign = "right";
  for (const tick of ticks(sy, 5)) {
    context.beginPath();
    context.moveTo(left, py(tick));
    context.lineTo(right, py(tick));
    context.stroke();
    context.fillText(tick_text(tick, y_log), left - 6, py(tick) + 4);
  }
  context.textAlign = "center";
  context.fillText(x_label, (left + right) / 2, height - 6);

  context.save();
  context.beginPath();
  context.rect(left, top, right - left, bottom - top);
  context.clip();
  for (const { points, colour: stroke, dash = [] } of series) {
    context.strokeStyle = stroke;
    context.lineWidth = 2;
    context.setLineDash(dash);
    context.beginPath();
    let pen = false;
    for (const point of points) {
      if (good(point)) context[pen ? "lineTo" : "moveTo"](px(point[0]), py(point[1]));
      pen = good(point);
    }
    context.stroke();
  }
  context.setLineDash([]);
  if (mark && good(mark)) {
    context.fillStyle = ink;
    context.beginPath();
    context.arc(px(mark[0]), py(mark[1]), 5, 0, 2 * Math.PI);
    context.fill();
  }
  context.restore();

  context.textAlign = "left";
  let [x, y] = [8, 14];
  for (const { name, colour: stroke, dash = [] } of series) {
    const needed = 34 + context.measureText(name).width + 14;
    if (x > 8 && x + needed > width) [x, y] = [8, y + 18];
    context.strokeStyle = stroke;
    context.lineWidth = 2;
    context.setLineDash(dash);
    context.beginPath();
    context.moveTo(x, y - 4);
    context.lineTo(x + 26, y - 4);
    context.stroke();
    context.fillStyle = ink;
    context.fillText(name, x + 32, y);
    x += needed;
  }
  context.setLineDash([]);

  function rows_of_names() {
    let [at, lines] = [8, 1];
    for (const { name } of series) {
      const needed = 34 + context.measureText(name).width + 14;
      if (at > 8 && at + needed > width) [at, lines] = [8, lines + 1];
      at += needed;
    }
    return lines;
  }
}

// Round numbers along an axis; powers of ten on a logarithmic one.
function ticks({ low, high, log }, count) {
  let step = 10 ** Math.floor(Math.log10((high - low) / count));
  step *= [1, 2, 5, 10].find((factor) => (high - low) / (factor * step) <= count);
  if (log) step = Math.max(1, Math.round(step));
  const found = [];
  for (let n = Math.ceil(low / step); n * step <= high; n++)
    found.push(log ? 10 ** (n * step) : n * step);
  return found;
}

function tick_text(value, log) {
  if (!log) return short(value);
  const power = Math.round(Math.log10(value));
  return power >= -2 && power <= 3 ? short(value) : `1e${power}`.replace("-", "−");
}
