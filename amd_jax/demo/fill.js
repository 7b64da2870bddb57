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

/* A row of a table: for each column what was given, or what was drawn, and the likeliest values. */
function filledRow(lines) {
  const [scroll, table] = ["div", "table"].map((tag) => document.createElement(tag));
  [scroll.className, scroll.tabIndex, table.className] = ["scroll", 0, "values cells"];
  scroll.setAttribute("role", "region");
  scroll.setAttribute("aria-label", "The row, filled in");
  const head = table.createTHead().insertRow();
  for (const name of ["column", "value", "likeliest values"]) {
    const cell = document.createElement("th");
    [cell.scope, cell.textContent] = ["col", name];
    head.append(cell);
  }
  const body = table.createTBody();
  for (const line of lines) {
    const row = body.insertRow();
    const name = document.createElement("th");
    [name.scope, name.textContent] = ["row", line.column];
    row.append(name);
    const value = row.insertCell();
    line.draws.forEach((text, i) => {
      const part = document.createElement(line.gap ? "mark" : "span");
      part.textContent = text || "(empty)";
      value.append(i ? " · " : "", part);
    });
    row.insertCell().textContent = line.likely.join(" · ");
  }
  scroll.append(table);
  return scroll;
}

/* What stands in the fields of a row. */
function rowOf(form) {
  const row = {};
  for (const field of form.querySelectorAll("[data-column]")) row[field.dataset.column] = field.value;
  return row;
}

function filling(form) {
  const [box, count, place] = ["gaps", "gaps-count", "fillings"].map((id) =>
    document.getElementById(id),
  );
  const isRow = find("[data-column]", form) !== null;
  const given = box
    ? { asked: async () => ({ text: box.value }) }
    : isRow
      ? { asked: async () => ({ row: rowOf(form) }) }
      : holed((line) => failed(line));
  const { number, seed } = form.elements;
  if (box) typed(form, box, count);
  let texts = [];

  const failed = working(
    form,
    async (signal, say) => {
      const asked = { number: valueOf(number), seed: valueOf(seed), ...optionOf(form) };
      return { ...(await given.asked(signal, say)), ...asked };
    },
    (message) => {
      if (message.kind !== "filled") return false;
      if (message.lines) {
        const note = document.createElement("p");
        note.textContent = message.note;
        place.replaceChildren(filledRow(message.lines), note);
        return true;
      }
      texts = message.fillings.map((found) => found.text);
      place.replaceChildren(...message.fillings.map(filled));
      return true;
    },
  );
  find(".answer[data-for=fill] .copy")?.addEventListener("click", (event) =>
    copy(texts.join("\n\n"), event.target),
  );
  return given.take;
}

/* A map with a hole: painted by a brush, or made of rectangles; see `demo_page.hole`. */
function holed(failed) {
  const [place, tools, file] = ["given", "holes", "file"].map((id) => document.getElementById(id));
  const [size, does, told] = ["brush", "brush-does", "hidden-part"].map((id) =>
    document.getElementById(id),
  );
  const sides = ["top", "left", "height", "width"].map((name) =>
    document.getElementById(`hole-${name}`),
  );
  const film = { ...model.film, frames: [{ t: 0, map: [[0]], name: "The map with its hole" }] };
  const noise = model.film.palette.length;
  const first = rectangle(); // the hole of a new map
  let [rows, hidden, earlier, player, last] = [null, null, [], null, null];

  function show() {
    film.frames[0].map = rows.map((row, i) => row.map((k, j) => (hidden[i][j] ? noise : k)));
    if (player) player.show(0);
    else draw();
  }

  function tell() {
    const cells = hidden.flat();
    const share = cells.filter(Boolean).length;
    told.textContent = `${share.toLocaleString("en")} of ${cells.length.toLocaleString("en")} pixels are hidden.`;
  }

  /* Keeps the hole as it is, for `undo`. */
  function keep() {
    earlier.push(hidden.map((row) => [...row]));
  }

  function change(inside, to) {
    hidden = hidden.map((row, i) => row.map((was, j) => (inside(i, j) ? to : was)));
    show();
  }

  /* Whether pixels are in the rectangle that the numbers give. */
  function rectangle() {
    const [top, left, height, width] = sides.map(valueOf);
    return (i, j) => i >= top && i < top + height && j >= left && j < left + width;
  }

  function draw() {
    player = amdFilm(place, film);
    const canvas = find("canvas", place);
    canvas.addEventListener("pointerdown", (event) => {
      if (event.button !== 0 || last) return;
      canvas.setPointerCapture(event.pointerId);
      keep();
      paint(event);
    });
    canvas.addEventListener("pointermove", (event) => last && paint(event));
    for (const end of ["pointerup", "pointercancel"]) {
      canvas.addEventListener(end, () => {
        last = null;
        tell();
      });
    }
  }

  /* The row and the column of the map below the pointer, which may lie beyond its sides. */
  function pixel(event) {
    const box = event.target.getBoundingClientRect();
    return [
      Math.floor(((event.clientY - box.top) / box.height) * rows.length),
      Math.floor(((event.clientX - box.left) / box.width) * rows[0].length),
    ];
  }

  /* A stroke of the brush, which is round, from where the pointer was last. */
  function paint(event) {
    const now = pixel(event);
    const [from, radius] = [last || now, Math.max(1, Number(size.value)) / 2];
    const way = now.map((at, axis) => at - from[axis]);
    const steps = Math.max(1, ...way.map(Math.abs));
    const near = (i, j) => {
      for (let k = 0; k <= steps; k++) {
        const [row, column] = from.map((at, axis) => at + Math.round((way[axis] * k) / steps));
        if ((i - row) ** 2 + (j - column) ** 2 < radius ** 2) return true;
      }
      return false;
    };
    change(near, does.value === "hide");
    last = now;
  }

  function put(map) {
    [rows, earlier] = [map, []];
    hidden = map.map((row, i) => row.map((_, j) => first(i, j)));
    tools.hidden = false;
    show();
    tell();
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

  /* A map of the model's own. */
  async function sample(signal) {
    let map = null;
    for await (const message of messages("draw", { number: 1 }, signal)) {
      if (message.kind === "error") throw new Error(message.line);
      if (message.kind === "state") map = message.frame.map;
    }
    put(map);
  }

  function undo() {
    if (!earlier.length) return;
    hidden = earlier.pop();
    show();
    tell();
  }

  function add() {
    failed("");
    try {
      const inside = rectangle();
      keep();
      change(inside, true);
      tell();
    } catch (error) {
      failed(error.message);
    }
  }

  function clear() {
    keep();
    change(() => true, false);
    tell();
  }

  for (const [id, act] of Object.entries({ undo, clear, add })) {
    document.getElementById(id).addEventListener("click", act);
  }
  for (const side of sides) {
    side.addEventListener("keydown", (event) => {
      if (event.key !== "Enter") return;
      event.preventDefault(); // does not send the form
      add();
    });
  }
  file.addEventListener("change", () => file.files.length && open());
  return {
    async asked(signal, say) {
      if (!rows) {
        say("Drawing a map first, to make a hole in.");
        await sample(signal);
      }
      return { map: rows.map((row, i) => row.map((k, j) => (hidden[i][j] ? null : k))) };
    },
    take({ map }) {
      const [height, width] = model.shape; // of the first of those in a square
      put(map.slice(0, height).map((row) => row.slice(0, width)));
      place.scrollIntoView({ block: "center" });
      size.focus({ preventScroll: true });
    },
  };
}
