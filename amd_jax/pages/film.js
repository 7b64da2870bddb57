/* A film of a denoising chain: a slider through its frames, and a button that plays them.

   amdFilm(place, film) builds one in an element and returns {add, show, play, pause}.

   film = {kind: "text", frames: [{t, text}, ...]}
        | {kind: "map", frames: [{t, map: [[0, 1, ...], ...]}, ...],
           palette: [[r, g, b], ...], names: ["road", ...], unused: [r, g, b], noise: [r, g, b]}

   A frame of text may have `pieces`, a list with what each token shows, in the place of `text`;
   one of a map may have a `name`, for those who do not see it.
   What differs from the frame before is marked. In a map -1 is a code of no class, a number
   beyond the palette is noise only, and null is a gap between two maps. Frames may come one by
   one: amdFilm(place, {kind: "text", frames: []}) and then add(frame).

   An element with data-film="ID" is filled by itself from <script type="application/json" id=ID>.
   Texts are only ever set as text. */
"use strict";

const amdFilm = (() => {
  const DELAY = 120; // milliseconds from frame to frame
  const [WIDTH, HEIGHT] = [912, 480]; // of a map on the page, at most; less where it is narrow

  function make(tag, attributes = {}, text = "") {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    if (text) made.textContent = text;
    return made;
  }

  /* What a frame shows, one piece for each token; of plain text one for each character. */
  function pieces(frame) {
    return frame.pieces || Array.from(frame.text);
  }

  /* Which pieces of a frame differ from those of the frame before; none if they do not fit. */
  function changes(now, before) {
    if (!before || before.length !== now.length) return now.map(() => false);
    return now.map((piece, i) => piece !== before[i]);
  }

  /* Pieces as text and <mark>, neighbours of one kind together. */
  function marked(shown, changed) {
    const found = document.createDocumentFragment();
    for (let i = 0; i < shown.length; ) {
      let end = i;
      while (end < shown.length && changed[end] === changed[i]) end++;
      const text = shown.slice(i, end).join("");
      found.append(changed[i] ? make("mark", {}, text) : document.createTextNode(text));
      i = end;
    }
    return found;
  }

  function textScreen() {
    const screen = make("div", { class: "screen text", dir: "auto" });
    return {
      screen,
      draw(film, i, marks) {
        const now = pieces(film.frames[i]);
        const before = marks && i > 0 ? pieces(film.frames[i - 1]) : null;
        screen.replaceChildren(marked(now, changes(now, before)));
      },
    };
  }

  function colour(film, state) {
    if (state < 0) return film.unused || [255, 0, 255];
    return film.palette[state] || film.noise || [128, 128, 128];
  }

  function named(film, state) {
    if (state < 0) return "codes of no class";
    if (state >= film.palette.length) return "noise";
    return (film.names || [])[state] || `category ${state}`;
  }

  /* The commonest states of a map in words, such as "road 52 %, sky 20 %". */
  function described(film, rows) {
    const counts = new Map();
    let all = 0;
    for (const state of rows.flat()) {
      if (state === null) continue;
      const name = named(film, state);
      counts.set(name, (counts.get(name) || 0) + 1);
      all += 1;
    }
    const first = [...counts].sort((one, other) => other[1] - one[1]).slice(0, 4);
    return first.map(([name, n]) => `${name} ${Math.round((100 * n) / all)} %`).join(", ");
  }

  function mapScreen() {
    const screen = make("canvas", { class: "screen map", role: "img" });
    return {
      screen,
      draw(film, i) {
        const rows = film.frames[i].map;
        const [height, width] = [rows.length, rows[0].length];
        if (screen.width !== width || screen.height !== height) {
          screen.width = width;
          screen.height = height;
          const scale = Math.floor(Math.min(WIDTH / width, HEIGHT / height));
          screen.style.width = `${width * Math.max(1, scale)}px`;
        }
        const context = screen.getContext("2d");
        const image = context.createImageData(width, height);
        rows.flat().forEach((state, place) => {
          if (state === null) return; // stays transparent
          image.data.set([...colour(film, state), 255], 4 * place);
        });
        context.putImageData(image, 0, 0);
        const name = film.frames[i].name || `State at t = ${film.frames[i].t.toFixed(2)}`;
        screen.setAttribute("aria-label", `${name}: ${described(film, rows)}`);
      },
    };
  }

  function controls(kind) {
    const button = make("button", { type: "button" }, "Play");
    const slider = make("input", { type: "range", min: 0, max: 0, step: 1, value: 0 });
    slider.setAttribute("aria-label", "Frame of the chain, from noise to data");
    const time = make("span", { class: "time" });
    const bar = make("div", { class: "controls" });
    bar.append(button, slider, time);
    const marks = make("input", { type: "checkbox" });
    marks.checked = true;
    if (kind === "text") {
      const label = make("label", { class: "marks" });
      label.append(marks, " mark what changed since the frame before");
      bar.append(label);
    }
    return { bar, button, slider, time, marks };
  }

  function player(place, film) {
    const { screen, draw } = film.kind === "map" ? mapScreen() : textScreen();
    const { bar, button, slider, time, marks } = controls(film.kind);
    let timer = null;

    function show(i) {
      const last = film.frames.length - 1;
      if (last < 0) return;
      slider.max = last;
      slider.value = i;
      const at = Number(slider.value); // within its bounds
      const t = film.frames[at].t.toFixed(2);
      draw(film, at, marks.checked);
      time.textContent = `t = ${t}`;
      slider.setAttribute("aria-valuetext", `t = ${t}, frame ${at + 1} of ${last + 1}`);
    }

    function pause() {
      clearInterval(timer);
      timer = null;
      button.textContent = "Play";
    }

    function play() {
      if (film.frames.length < 2) return;
      if (slider.value === slider.max) show(0);
      clearInterval(timer);
      button.textContent = "Pause";
      timer = setInterval(() => {
        show(Number(slider.value) + 1);
        if (slider.value === slider.max) pause();
      }, film.delay || DELAY);
    }

    /* One more frame; the film moves on to it unless one has gone back. */
    function add(frame) {
      const follows = slider.value === slider.max;
      film.frames.push(frame);
      show(follows ? film.frames.length - 1 : Number(slider.value));
    }

    button.addEventListener("click", () => (timer === null ? play() : pause()));
    slider.addEventListener("input", () => {
      pause();
      show(Number(slider.value));
    });
    marks.addEventListener("change", () => show(Number(slider.value)));
    place.replaceChildren(screen, bar);
    show(film.start ?? film.frames.length - 1);
    return { add, show, play, pause };
  }

  function start() {
    for (const place of document.querySelectorAll("[data-film]")) {
      player(place, JSON.parse(document.getElementById(place.dataset.film).textContent));
    }
  }

  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
  return player;
})();
