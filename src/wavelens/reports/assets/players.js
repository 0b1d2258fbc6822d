// Sounds to hear, one at a time: the clip, what of it supports the class, and that scale by scale.

const SAID = {
  clip: "what the model heard",
  heard: "what supports the class, all scales together",
  residue: "what is left without it",
};

/** A row for each sound; `moved` is told which part of the sound is heard, or null. */
function players(data, state, maps, moved) {
  const loudest = Math.max(1, ...data.sounds.map(({ peak }) => peak ?? 0));
  const look = stateOf({ level: false });
  const rows = data.sounds.filter(({ source }) => source).map((sound) => player(sound));
  let current = rows[0];

  function player(sound) {
    const audio = make("audio", { src: sound.source, preload: "auto" });
    const button = make("button", { class: "play", type: "button", "aria-label": `play ${sound.name}` });
    const place = make("input", { type: "range", min: 0, max: 1, step: "any", value: 0, "aria-label": `place in ${sound.name}` });
    const wave = make("canvas", { class: "mini", "aria-hidden": "true" });
    const said = SAID[sound.name] ?? sound.label;
    const element = make("li", { class: "player" }, button,
      make("span", { class: "said" }, make("b", {}, sound.name), make("small", {}, said)),
      make("span", { class: "course" }, wave, place), audio);
    const own = { audio, element, place, part: () => (audio.duration ? audio.currentTime / audio.duration : 0) };
    own.draw = () => drawCourse(wave, sound.wave, own.part(), look.level ? 1 : sound.peak / loudest);
    own.update = () => {
      const playing = !audio.paused;
      button.classList.toggle("playing", playing);
      button.setAttribute("aria-label", `${playing ? "pause" : "play"} ${sound.name}`);
      element.classList.toggle("current", own === current && (playing || audio.currentTime > 0));
      place.value = own.part();
      place.setAttribute("aria-valuetext", `${audio.currentTime.toFixed(1)} of ${(audio.duration || 0).toFixed(1)} seconds`);
      own.draw();
      if (own === current) moved(playing || audio.currentTime > 0 ? own.part() : null);
    };
    look.listen(() => {
      audio.volume = look.level ? 1 : Math.min(1, sound.peak / loudest / 0.99);
      own.draw();
    });
    button.addEventListener("click", () => (audio.paused ? play(own, sound.name) : audio.pause()));
    place.addEventListener("input", () => {
      if (audio.duration) audio.currentTime = place.value * audio.duration;
      if (current !== own) choose(own);
      own.update();
    });
    for (const event of ["play", "pause", "seeked", "loadedmetadata", "ended"]) audio.addEventListener(event, own.update);
    new ResizeObserver(own.draw).observe(wave);
    return own;
  }

  function choose(own) {
    const before = current;
    current = own;
    if (before && before !== own) {
      before.audio.pause();
      before.update();
    }
  }

  function play(own, name) {
    choose(own);
    const k = maps.scales.findIndex((scale) => scale.name === name);
    state.set({ scale: Math.max(k, 0) });
    own.audio.play();
    const follow = () => {
      own.update();
      if (!own.audio.paused) requestAnimationFrame(follow);
    };
    follow();
  }

  const silent = data.sounds.filter((sound) => sound.silent).length;
  const missing = data.sounds.length - rows.length - silent;
  const element = card("Listen",
    ...(rows.length ? [
      make("ul", { class: "players" }, ...rows.map((own) => own.element)),
      toggle(look, "level", "As loud as each can be: faint scales are heard, and no longer add up"),
      hint("The scales and the residue add up to the clip; a scale that is played is shown above."),
    ] : []),
    silent ? hint(`${silent > 1 ? `${silent} scales are` : "1 scale is"} silent in what was kept. Only what supports the class is kept, so a scale with a large negative sum is silent.`) : null,
    missing ? hint(`${missing > 1 ? `${missing} sounds are` : "1 sound is"} too long for this page.`) : null);
  const seek = (part) => {
    if (!current?.audio.duration) return;
    current.audio.currentTime = part * current.audio.duration;
    current.update();
  };
  return { element, seek };
}

/** The waveform at its own height, darker where it was heard already. */
function drawCourse(target, wave, part, height) {
  const { clientWidth: width, clientHeight: tall } = target, ratio = Math.min(devicePixelRatio || 1, 3);
  if (!width) return;
  target.width = width * ratio;
  target.height = tall * ratio;
  const pen = target.getContext("2d"), style = getComputedStyle(target);
  pen.scale(ratio, ratio);
  const size = Math.max(height, 0.02);
  const area = { left: 0, width, height: tall * size };
  pen.translate(0, (tall * (1 - size)) / 2);
  drawWave(pen, area, wave, style.getPropertyValue("--bar"));
  pen.globalCompositeOperation = "source-atop";
  pen.fillStyle = style.getPropertyValue("--accent");
  pen.fillRect(0, -tall, width * part, 3 * tall);
}
