// Volumes: three slices that meet in a voxel; pressing or dragging in one moves the other two.

const MARKS = "#f9a03f", CRISP = 64; // voxels along an axis below which each is shown as a box

async function showVolume(data, state, place, more) {
  const maps = new Maps(data.maps, data.end), grey = bytes(data.grey.u8);
  data.at.forEach((value, axis) => { state[`at${axis}`] = value; });
  const at = () => [0, 1, 2].map((axis) => state[`at${axis}`]);
  const slices = [0, 1, 2].map((axis) => slice(axis));

  function slice(axis) {
    const [right, up] = [0, 1, 2].filter((k) => k !== axis);
    const wide = data.size[right] * data.step[right], tall = data.size[up] * data.step[up], factor = 480 / Math.max(wide, tall);
    const target = canvas(Math.max(1, Math.round(wide * factor)), Math.max(1, Math.round(tall * factor)));
    return { axis, right, up, target };
  }

  /** The index in an array of `shape` of each pixel of a slice with that array's own voxels; the later axis upwards. */
  function reader({ axis, right, up }, shape) {
    const width = shape[right], height = shape[up], strides = [shape[1] * shape[2], shape[2], 1];
    const fixed = Math.floor(((at()[axis] + 0.5) * shape[axis]) / data.size[axis]) * strides[axis];
    const index = (k) => fixed + (k % width) * strides[right] + (height - 1 - Math.floor(k / width)) * strides[up];
    return { width, height, index };
  }

  function draw(one, target, scale, marks, signed = state.signed) {
    const behind = reader(one, data.grey.shape), over = reader(one, maps.shape),
      layer = maps.layer({ ...state, scale, signed });
    const base = canvas(behind.width, behind.height), pen = base.getContext("2d");
    const image = pen.createImageData(behind.width, behind.height);
    for (let k = 0; k < behind.width * behind.height; k++) {
      const value = grey[behind.index(k)];
      image.data.set([value, value, value, 255], 4 * k);
    }
    pen.putImageData(image, 0, 0);
    target.getContext("2d").imageSmoothingEnabled = Math.max(...data.size) >= CRISP;
    const pictures = heat(over.width, over.height, (k) => layer.values[over.index(k)], layer);
    paint(target, base, darkened(base), pictures, state.opacity / 100);
    if (marks) mark(one, target);
  }

  /** Where the other two slices cut this one: at its rim, and faintly all the way. */
  function mark({ right, up }, target) {
    const pen = target.getContext("2d"), { width, height } = target, where = at();
    const x = ((where[right] + 0.5) / data.size[right]) * width, y = (1 - (where[up] + 0.5) / data.size[up]) * height;
    const lines = [[x, 0, x, height], [0, y, width, y]];
    pen.lineWidth = 2;
    pen.strokeStyle = MARKS;
    for (const [part, alpha] of [[1, 0.28], [0.07, 1]]) {
      pen.globalAlpha = alpha;
      for (const [x0, y0, x1, y1] of lines) {
        for (const [a, b] of part === 1 ? [[0, 1]] : [[0, part], [1 - part, 1]]) {
          pen.beginPath();
          pen.moveTo(x0 + (x1 - x0) * a, y0 + (y1 - y0) * a);
          pen.lineTo(x0 + (x1 - x0) * b, y0 + (y1 - y0) * b);
          pen.stroke();
        }
      }
    }
    pen.globalAlpha = 1;
  }

  function move(one, event) {
    const box = one.target.getBoundingClientRect();
    const clamp = (part, n) => Math.min(n - 1, Math.max(0, Math.floor(part * n)));
    state.set({
      [`at${one.right}`]: clamp((event.clientX - box.left) / box.width, data.size[one.right]),
      [`at${one.up}`]: clamp(1 - (event.clientY - box.top) / box.height, data.size[one.up]),
    });
  }

  const trio = make("div", { class: "trio" });
  for (const one of slices) {
    one.target.setAttribute("role", "img");
    one.target.addEventListener("pointerdown", (event) => {
      one.target.setPointerCapture(event.pointerId);
      move(one, event);
    });
    one.target.addEventListener("pointermove", (event) => event.buttons && move(one, event));
    const { axis } = one, n = data.size[axis], unit = data.units[axis];
    const say = (v) => `${v + 1} of ${n}` + (unit === "voxels" ? "" : `, ${short((v + 0.5) * data.step[axis])} ${unit}`);
    trio.append(make("div", {}, make("div", { class: "stage" }, one.target),
      slider(state, `at${axis}`, `Slice across axis ${axis + 1}`, { max: n - 1, say })));
    state.listen(() => {
      draw(one, one.target, state.scale, true);
      one.target.setAttribute("aria-label",
        `slice across axis ${axis + 1}, ${say(state[`at${axis}`])}, with the map of ${scaleText(maps.scales[state.scale])}`);
    });
  }
  const viewer = card("Where it lies", trio, controls(state, maps));
  if (maps.packed.signed.length) viewer.append(toggle(state, "signed", "For and against: orange speaks for it, striped blue against"));
  viewer.append(legend(state, data.end, data.unit));
  viewer.append(hint("Press or drag in a slice to move the other two there. Later axes point upwards."));
  place.append(viewer);
  if (maps.scales.length < 2) return;
  const [last] = slices.slice(-1), small = 160 / Math.max(last.target.width, last.target.height);
  const strip = scaleTiles(state, maps, (target, scale, signed) => draw(last, target, scale, false, signed),
    Math.max(1, Math.round(last.target.width * small)), Math.max(1, Math.round(last.target.height * small)), data.evidence);
  more.append(beside("left", card("Each scale by itself", strip, hint("The slice across axis 3. One colour scale for all: what is brighter matters more."))));
  if (data.mosaic) more.append(beside("right", card("Mosaic", make("div", { class: "mosaic" }, mosaic(state, maps, data.mosaic)),
    hint("All coefficients, the largest along axis 1: coarse in the upper left corner, each finer scale around it."))));
}

VIEWS.volume = showVolume;
