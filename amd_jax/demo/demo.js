/* The demo: forms whose answers come line by line, a message of JSON each. */
"use strict";

const model = JSON.parse(document.getElementById("model").textContent);
const calm = matchMedia("(prefers-reduced-motion: reduce)");
const find = (selector, within = document) => within.querySelector(selector);

/* The messages of an answer, each as soon as it is there. */
async function* messages(path, asked, signal) {
  const answer = await fetch(path, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(asked),
    signal,
  });
  if (!answer.ok) throw new Error(await answer.text());
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const lines = (rest + value).split("\n");
    rest = lines.pop();
    for (const line of lines) yield JSON.parse(line);
  }
}

/* What stands in a field; null for nothing. */
function valueOf(field) {
  if (field.dataset.kind === "bool") return field.checked;
  if (field.dataset.kind === "str") return field.value;
  if (field.validity.badInput) throw new Error(`${nameOf(field)} must be a number.`);
  return field.value === "" ? null : Number(field.value);
}

function nameOf(field) {
  return field.labels[0].textContent.trim();
}

/* The option that a form has chosen, and its numbers. */
function optionOf(form) {
  const select = find("select[name=option]", form);
  const shown = find("[data-option]:not([hidden])", form);
  const numbers = {};
  for (const field of shown ? shown.querySelectorAll("[data-number]") : []) {
    numbers[field.dataset.number] = valueOf(field);
  }
  return { ...(select ? { option: select.value } : {}), numbers };
}

function showOption(form) {
  const select = find("select[name=option]", form);
  if (!select) return;
  select.addEventListener("change", () => {
    for (const part of form.querySelectorAll("[data-option], [data-about]")) {
      part.hidden = (part.dataset.option || part.dataset.about) !== select.value;
    }
    const says = find("[data-says=option]", form);
    const name = select.selectedOptions[0].textContent;
    if (says) says.textContent = name[0].toUpperCase() + name.slice(1);
  });
}

/* Whether a form is without an answer, at work, or answered; one piece of work at a time. `heard`
   takes a message and returns whether a result is shown. */
function working(form, ask, heard) {
  const answer = find(`.answer[data-for=${form.id}]`);
  const [status, bar, alert] = ["[role=status]", "progress", "[role=alert]"].map((s) =>
    find(s, answer),
  );
  const [submit, stop] = ["[type=submit]", ".stop"].map((s) => find(s, form));
  const result = find(".result", answer);
  let control = null;

  /* A line on what went wrong, in the place of any result; none takes the line away. */
  function failed(line) {
    alert.textContent = line;
    alert.hidden = !line;
    if (line) [result.hidden, status.textContent] = [true, ""];
  }

  /* Whether what is shown is of an earlier time. */
  function outdated(yes) {
    if (yes) result.setAttribute("aria-busy", "true");
    else result.removeAttribute("aria-busy");
  }

  function hear(message) {
    if (message.kind === "waiting") {
      const others = message.before === 1 ? "one computation is" : `${message.before} computations are`;
      status.textContent = `Waiting: ${others} before this one.`;
    } else if (message.kind === "compiling") {
      status.textContent = "Compiling, as this has not been asked for yet; the next time is faster.";
    } else if (message.kind === "error") {
      failed(message.line);
    } else {
      status.textContent = "";
      if (message.of) [bar.hidden, bar.max, bar.value] = [false, message.of, message.done];
      if (heard(message)) {
        result.hidden = false;
        outdated(false);
      }
    }
  }

  async function work() {
    if (control) control.abort();
    const mine = (control = new AbortController());
    failed("");
    outdated(true);
    stop.hidden = false;
    submit.disabled = true;
    bar.removeAttribute("value");
    status.textContent = "Working.";
    const start = performance.now();
    let ended = "";
    try {
      const asked = await ask(mine.signal, (line) => (status.textContent = line));
      for await (const message of messages(form.dataset.path, asked, mine.signal)) hear(message);
      ended = alert.hidden ? `Done in ${((performance.now() - start) / 1000).toFixed(1)} s.` : "";
    } catch (error) {
      if (error.name === "AbortError") ended = "Stopped.";
      else failed(error instanceof TypeError ? "The server does not answer: is it running?" : error.message);
    }
    if (mine !== control) return;
    control = null;
    if (result.hasAttribute("aria-busy")) result.hidden = true; // of an earlier time
    outdated(false);
    status.textContent = ended;
    bar.hidden = stop.hidden = true;
    submit.disabled = false;
  }

  form.noValidate = true; // errors are shown below the form, in one line
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    work();
  });
  stop.addEventListener("click", () => {
    control?.abort();
    submit.disabled = false;
    submit.focus();
  });
  find(".again", form)?.addEventListener("click", () => {
    form.elements.seed.value = pick(9999);
    work();
  });
  addEventListener("pagehide", () => control?.abort());
  showOption(form);
  return failed;
}

async function copy(text, button) {
  const before = button.textContent;
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
  } catch {
    button.textContent = "Select it instead"; // such as over http from elsewhere
  }
  setTimeout(() => (button.textContent = before), 1500);
}

function pick(most) {
  return Math.floor(Math.random() * (most + 1));
}

/* Pieces (text, mark, what stood there) as text and elements: <ins> in the place of something that
   stood there, with `before` after a <del> of that, and else <mark>. */
function marked(pieces, before = false) {
  const parts = document.createDocumentFragment();
  for (const [text, mark, was] of pieces) {
    const replaced = mark === "changed" && was !== undefined;
    if (replaced && before) {
      const gone = document.createElement("del");
      gone.textContent = was;
      parts.append(gone, " ");
    }
    if (!mark) {
      parts.append(text);
    } else {
      const made = document.createElement(replaced ? "ins" : "mark");
      [made.className, made.textContent] = [mark, text];
      parts.append(made);
    }
  }
  return parts;
}

/* How many there are of something, such as "1 word". */
function counted(number, noun) {
  return `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;
}

/* Tells how long the text of a form is, and lets Ctrl+Enter send it; a function that tells it. */
function typed(form, box, count) {
  function showLength() {
    count.textContent = Array.from(box.value).length.toLocaleString("en");
  }
  box.addEventListener("input", showLength);
  box.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
  });
  showLength();
  return showLength;
}

/* The one message of a piece of work of that kind; an error if there is another in its place. */
async function answer(path, asked, kind) {
  for await (const message of messages(path, asked)) {
    if (message.kind === "error") throw new Error(message.line);
    if (message.kind === kind) return message;
  }
  throw new Error("The server does not answer: is it running?");
}

function editing(form) {
  const [box, count, place, verdict, before] = ["text", "count", "edited", "verdict", "before"].map(
    (id) => document.getElementById(id),
  );
  const showLength = typed(form, box, count);
  let found = null;

  function show() {
    place.replaceChildren(marked(found.pieces, before.checked));
  }

  const failed = working(
    form,
    () => {
      const seed = find("[data-option]:not([hidden]) [name=seed]", form);
      return { text: box.value, ...(seed ? { seed: valueOf(seed) } : {}), ...optionOf(form) };
    },
    (message) => {
      if (message.kind !== "edited") return false;
      found = message;
      show();
      const kept = message.foreign ? ` ${counted(message.foreign, "character")} that the model does not know, kept as given.` : "";
      const changed = `${counted(message.words, "word")} changed, ${counted(message.changed, "character")}.`;
      verdict.textContent = `${message.changed ? changed : "Nothing changed."}${kept}`;
      return true;
    },
  );

  async function damage() {
    failed("");
    try {
      const rate = valueOf(document.getElementById("rate"));
      const asked = { text: box.value, rate, seed: pick(model.seeds) };
      put((await answer("damage", asked, "damaged")).text);
    } catch (error) {
      failed(error.message);
    }
  }

  function put(text) {
    box.value = text;
    showLength();
  }

  before.addEventListener("change", show);
  document.getElementById("damage")?.addEventListener("click", damage);
  find(".answer[data-for=edit] .copy").addEventListener("click", (event) =>
    copy(found.text, event.target),
  );
  return ({ texts }) => {
    put(texts[0]);
    box.focus();
  };
}

/* A map as a PNG, each of its pixels a square. */
function save(canvas) {
  const scale = Math.max(1, Math.floor(1024 / canvas.width));
  const large = document.createElement("canvas");
  [large.width, large.height] = [canvas.width * scale, canvas.height * scale];
  const context = large.getContext("2d");
  context.imageSmoothingEnabled = false;
  context.drawImage(canvas, 0, 0, large.width, large.height);
  large.toBlob((blob) => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = `seed_${document.getElementById("seed").value || 0}.png`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  }, "image/png");
}

function drawing(form, take) {
  const [place, notes] = ["film", "notes"].map((id) => document.getElementById(id));
  const { number, seed } = form.elements;
  let [film, player, drawn] = [null, null, null];

  function show() {
    player = amdFilm(place, film);
    place.classList.toggle("lone", !model.walks);
    const screen = find(".screen.text", place);
    if (screen) {
      screen.tabIndex = 0;
      screen.setAttribute("role", "region");
      screen.setAttribute("aria-label", model.walks ? "State of the walk" : "Samples");
    }
  }

  working(
    form,
    () => {
      [film, player, drawn] = [{ ...model.film, frames: [] }, null, null];
      notes.textContent = "";
      return { number: valueOf(number), seed: valueOf(seed), ...optionOf(form) };
    },
    (message) => {
      if (message.kind === "state") {
        if (player) player.add(message.frame);
        else film.frames.push(message.frame);
        if (!player && !calm.matches) show();
      } else if (message.kind === "drawn") {
        if (!player) show();
        drawn = message;
        notes.textContent = message.notes.join(" ");
      }
      return player !== null;
    },
  );

  find(".answer[data-for=draw] .copy")?.addEventListener(
    "click",
    (event) => drawn && copy(drawn.texts.join("\n\n"), event.target),
  );
  document.getElementById("save")?.addEventListener("click", () => save(find("canvas", place)));
  document.getElementById("take")?.addEventListener(
    "click",
    () => drawn && take({ texts: drawn.texts, map: film.frames.at(-1).map }),
  );
}

const [edit, fill] = ["edit", "fill"].map((id) => document.getElementById(id));
const takes = [edit && editing(edit), fill && filling(fill)]; // samples, each for its form
drawing(document.getElementById("draw"), takes.find(Boolean));
