// Small helpers: elements of the page, numbers as text, colours.

const find = (selector, within = document) => within.querySelector(selector);

// An element with attributes, listeners (functions by their event's name) and children; text is
// always text.
function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") made.addEventListener(name, value);
    else if (value !== false) made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children);
  return made;
}

// A slider with its name and its value as text. `scale` turns the slider's whole numbers into
// values; `changed` is given the value.
function slider(label, { min, max, start, scale = (n) => n, text = short, changed }) {
  const shown = element("b");
  const say = () => (shown.textContent = text(scale(Number(input.value))));
  const input = element("input", {
    type: "range",
    min,
    max,
    value: start,
    input: () => {
      say();
      changed(scale(Number(input.value)));
    },
  });
  say();
  const whole = element(
    "label",
    { class: "slider" },
    element("span", {}, label, " ", shown),
    input,
  );
  whole.say = say;
  whole.set = (n) => {
    input.value = n;
    say();
  };
  return whole;
}

// A number for reading: so many significant digits, a real minus sign.
function short(value, digits = 4) {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? "not a number" : "∞";
  const size = Math.abs(value);
  const text =
    size !== 0 && (size < 1e-3 || size >= 1e6)
      ? value.toExponential(digits - 2)
      : String(Number(value.toPrecision(digits)));
  return text.replaceAll("-", "−");
}

// The same for a box.
const brief = (value) => short(value, 3);

function shape_text(shape) {
  return shape.length === 1 ? `(${shape[0]})` : `(${shape.join(", ")})`;
}

// Colours come from the style sheet, which knows whether the page is dark. To ask it is slow, so the
// answers are kept until the page becomes dark or light.
let known_colours = {};
function colour(name) {
  return (known_colours[name] ??= getComputedStyle(document.documentElement)
    .getPropertyValue(`--${name}`)
    .trim());
}

// "#0072b2" as [0, 114, 178].
function rgb(text) {
  return [1, 3, 5].map((start) => parseInt(text.slice(start, start + 2), 16));
}

// A canvas's context, sized to its place on the page and to the screen's pixels, emptied.
function blank(canvas, width, height) {
  const ratio = window.devicePixelRatio || 1;
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    canvas.style.height = `${height}px`;
  }
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  return context;
}
