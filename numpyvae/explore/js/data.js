// What the page was given: the run, its images, the code. Text in, arrays out.

// Undoes `packed` of page.py: base64, deflated, all first bytes, then all second ones.
async function unpacked(text, Type) {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  const planes = new Uint8Array(await new Response(stream).arrayBuffer());
  const size = Type.BYTES_PER_ELEMENT;
  const count = planes.length / size;
  const whole = new Uint8Array(planes.length);
  for (let i = 0; i < count; i++) {
    for (let byte = 0; byte < size; byte++) whole[i * size + byte] = planes[byte * count + i];
  }
  return new Type(whole.buffer);
}

async function read_data() {
  const known = JSON.parse(find("#data").textContent);
  const { run } = known;
  const [weights, train, test] = await Promise.all([
    unpacked(run.weights, Float32Array),
    unpacked(run.train_images, Uint8Array),
    unpacked(run.test_images, Uint8Array),
  ]);
  const pixels = run.sizes[0];
  const images = (bytes) => shaped(bytes, [bytes.length / pixels, pixels]);
  return { ...known, weights, train_images: images(train), test_images: images(test) };
}

// Images of these numbers as rows of floats in [0, 1].
function floats(images, numbers, Type = Float64Array) {
  const pixels = images.shape[1];
  const x = array([numbers.length, pixels], Type);
  numbers.forEach((number, row) => {
    for (let i = 0; i < pixels; i++) x[row * pixels + i] = images[number * pixels + i] / 255;
  });
  return x;
}
