/* Gaps of a text, or a hole in a map: what is given, and its fillings below each other or beside. */
"use strict";

/* One filling with the line on it. */
function filled(found) {
  const [whole, line] = ["figure", "figcaption"].map((tag) => document.createElement(tag));
  const shown = document.createElement(found.map ? "div" : "pre");
  line.textContent = found.name;
  whole.append(line, shown);
  if (found.map) {
    shown.className = "lone";
    amdFilm(shown, { ...model.film, frames: [found] });
  } else {
    [shown.className, shown.tabIndex, shown.dir] = ["text", 0, "auto"];
    shown.setAttribute("role", "region");
    shown.setAttribute("aria-label", found.name);
    shown.append(marked(found.pieces));
  }
  return whole;
}

function filling(form) {
  const [box, count, place] = ["gaps", "gaps-count", "fillings"].map((id) =>
    document.getElementById(id),
  );
  const given = box ? { asked: () => ({ text: box.value }) } : holed(form, (line) => failed(line));
  const { number, seed } = form.elements;
  if (box) typed(form, box, count);
  let texts = [];

  const failed = working(
    form,
    () => ({
      ...given.asked(),
      ...{ number: valueOf(number), seed: valueOf(seed), ...optionOf(form) },
    }),
    (message, within) => {
      if (message.kind !== "filled") return;
      texts = message.fillings.map((found) => found.text);
      place.replaceChildren(...message.fillings.map(filled));
      find(".result", within).hidden = false;
    },
  );
  find(".answer[data-for=fill] .copy")?.addEventListener("click", (event) =>
    copy(texts.join("\n\n"), event.target),
  );
  return given.take;
}

/* A map with a hole, which is drawn with the pointer, or given by four numbers. */
function holed(form, failed) {
  const [place, file] = ["given", "file"].map((id) => document.getElementById(id));
  const sides = ["top", "left", "height", "width"].map((name) => form.elements[name]);
  const film = { ...model.film, frames: [{ t: 0, map: [[0]], name: "The map with its hole" }] };
  const noise = model.film.palette.length;
  let [rows, player, corner] = [null, null, null];

  function show() {
    if (!rows) return;
    const [top, left, height, width] = sides.map((side) => Number(side.value));
    const inside = (i, j) => i >= top && i < top + height && j >= left && j < left + width;
    film.frames[0].map = rows.map((row, i) => row.map((k, j) => (inside(i, j) ? noise : k)));
    if (player) player.show(0);
    else draw();
  }

  function draw() {
    player = amdFilm(place, film);
    place.hidden = false;
    const canvas = find("canvas", place);
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      corner = pixel(event);
      stretch(event);
    });
    canvas.addEventListener("pointermove", (event) => corner && stretch(event));
    for (const end of ["pointerup", "pointercancel"]) {
      canvas.addEventListener(end, () => (corner = null));
    }
  }

  /* The row and the column of the map below the pointer, or the nearest ones. */
  function pixel(event) {
    const box = event.target.getBoundingClientRect();
    const [row, column] = [(event.clientY - box.top) / box.height, (event.clientX - box.left) / box.width];
    return [row * rows.length, column * rows[0].length].map((at, axis) =>
      Math.min(Math.max(0, Math.floor(at)), [rows.length, rows[0].length][axis] - 1),
    );
  }

  function stretch(event) {
    const other = pixel(event);
    corner.forEach((at, axis) => {
      sides[axis].value = Math.min(at, other[axis]);
      sides[axis + 2].value = Math.abs(at - other[axis]) + 1;
    });
    show();
  }

  function put(map) {
    rows = map;
    show();
  }

  async function open() {
    failed("");
    const reader = new FileReader();
    const content = new Promise((resolve) => (reader.onload = () => resolve(reader.result)));
    try {
      reader.readAsDataURL(file.files[0]);
      const asked = { name: file.files[0].name, png: (await content).split(",")[1] };
      put((await answer("open", asked, "opened")).map);
    } catch (error) {
      failed(error.message);
    }
  }

  for (const side of sides) side.addEventListener("input", show);
  file.addEventListener("change", () => file.files.length && open());
  return {
    asked: () => ({
      map: rows,
      hole: Object.fromEntries(sides.map((side) => [side.name, valueOf(side)])),
    }),
    take({ map }) {
      const [height, width] = model.shape; // of the first of those in a square
      put(map.slice(0, height).map((row) => row.slice(0, width)));
      place.scrollIntoView({ block: "center" });
      sides[0].focus({ preventScroll: true });
    },
  };
}
