// Videos: a frame at a time with the map over it, and how each scale of time runs along them.

const LINES = { // Okabe and Ito's, and lighter over dark; the first line has the colour of the text
  light: ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00"],
  dark: ["#62b5f0", "#ff9550", "#3fcfa5", "#e59ac4", "#a5dbff", "#f5c451"],
};
const DASHES = [[], [7, 3], [2, 3], [9, 3, 2, 3]];

async function showVideo(data, state, place, more) {
  const maps = new Maps(data.maps, data.end), [frames, height, width] = data.size, [times, rows, columns] = maps.shape;
  const pictures = await Promise.all(data.frames.map(picture)), greys = pictures.map((base) => darkened(base));
  state.frame = data.at;
  const factor = Math.max(1, Math.ceil(720 / Math.max(width, height)));
  const main = canvas(width * factor, height * factor, "a frame with the map over it");
  const draw = (target, scale, signed = state.signed) => {
    const layer = maps.layer({ ...state, scale, signed }), start = Math.floor(((state.frame + 0.5) * times) / frames) * rows * columns;
    const over = heat(columns, rows, (k) => layer.values[start + k], layer);
    paint(target, pictures[state.frame], greys[state.frame], over, state.opacity / 100);
  };
  const say = (k) => `${k + 1} of ${frames}` + (data.axis === "s" ? `, ${quantity(short(k * data.step), "s")}` : "");
  const viewer = card("When and where", make("div", { class: height > 1.15 * width ? "stage tall" : "stage" }, main),
    make("div", { class: "film" }, playing(state, data), slider(state, "frame", "Frame", { max: frames - 1, say })),
    controls(state, maps));
  if (maps.packed.signed.length) viewer.append(toggle(state, "signed", "For and against: orange supports the class, striped blue opposes it"));
  viewer.append(legend(state, data.end, data.unit));
  state.listen(() => {
    draw(main, state.scale);
    main.setAttribute("aria-label", `frame ${say(state.frame)} with the map of ${scaleText(maps.scales[state.scale])} over it`);
  });
  place.append(viewer);
  if (maps.scales.length > 1) {
    const small = 160 / Math.max(width, height);
    const sides = [width, height].map((side) => Math.max(1, Math.round(side * small)));
    const strip = scaleTiles(state, maps, draw, sides[0], sides[1], data.evidence);
    more.append(card("Each scale by itself", strip, hint("The chosen frame. One colour scale for all: what is brighter matters more.")));
  }
  if (frames > 1) more.append(courses(data, state));
}

/** A button that lets the frames run, no faster than the eye follows. */
function playing(state, data) {
  const button = make("button", { class: "play", type: "button", "aria-label": "play the frames" });
  const wait = Math.min(1000, Math.max(80, data.axis === "s" ? 1000 * data.step : 125));
  let timer = 0; // none
  button.addEventListener("click", () => {
    clearInterval(timer);
    timer = timer ? 0 : setInterval(() => state.set({ frame: (state.frame + 1) % data.size[0] }), wait);
    button.classList.toggle("playing", Boolean(timer));
    button.setAttribute("aria-label", timer ? "stop the frames" : "play the frames");
  });
  return button;
}

function courses(data, state) {
  const top = Math.max(...data.courses.flatMap(({ values }) => values)) || 1, frames = data.size[0];
  const lines = () => LINES[DARK.matches && !document.documentElement.classList.contains("printed") ? "dark" : "light"];
  const colour = (k, area) => (k ? lines()[(k - 1) % lines().length] : area.ink);
  const chart = new Pane("the course of each scale of time", 190, (pen, area) => {
    const { left, width, height, soft } = area, x = (k) => left + (width * (k + 0.5)) / frames;
    pen.strokeStyle = soft;
    pen.strokeRect(left, 0.5, width - 0.5, height - 1);
    pen.fillStyle = soft;
    pen.globalAlpha = 0.2;
    pen.fillRect(left + (width * state.frame) / frames, 0, width / frames, height);
    pen.globalAlpha = 1;
    pen.textAlign = "right";
    pen.fillText(short(top), left - 8, 12);
    pen.fillText("0", left - 8, height - 2);
    data.courses.forEach(({ values }, k) => {
      pen.strokeStyle = colour(k, area);
      pen.lineWidth = 2.2;
      pen.setLineDash(DASHES[k % DASHES.length]);
      pen.beginPath();
      values.forEach((value, frame) => pen.lineTo(x(frame), height - 4 - ((height - 10) * value) / top));
      pen.stroke();
    });
    pen.setLineDash([]);
  }, { length: frames * (data.axis === "s" ? data.step : 1), unit: data.axis === "s" ? "s" : "frames" });
  state.listen(() => chart.redraw());
  chart.element.addEventListener("click", (event) => {
    const left = gutter(chart.element.clientWidth), part = (event.offsetX - left) / (chart.element.clientWidth - left);
    if (part >= 0) state.set({ frame: Math.min(frames - 1, Math.floor(part * frames)) });
  });
  const keys = data.courses.map(({ name, label }, k) => make("li", {}, key(k, colour), make("b", {}, name), ` ${label}`));
  return card("How each scale of time runs", make("div", { class: "panes" }, chart.element),
    make("ul", { class: "keys" }, ...keys), hint("|γ| in each frame, whatever its scale in space."));
}

function key(k, colour) {
  const shown = new Pane("", 10, (pen, { height, ink, left, width }) => {
    pen.strokeStyle = colour(k, { ink });
    pen.lineWidth = 2.2;
    pen.setLineDash(DASHES[k % DASHES.length]);
    pen.moveTo(0, height / 2);
    pen.lineTo(left + width, height / 2);
    pen.stroke();
  });
  shown.element.setAttribute("aria-hidden", "true");
  return shown.element;
}

VIEWS.video = showVideo;
