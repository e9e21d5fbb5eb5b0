// The listening view. One instance lives as long as its element; Streamlit calls the default
// export again whenever data or theme change, and the function it returns when the element goes.

const views = new WeakMap();
const MIN_WINDOW_SECONDS = 0.5;
const PLAY = "M5 3l12 7-12 7z";
const PAUSE = "M5 3h4v14H5zM11 3h4v14h-4z";
const NOTES = ["C", "C♯", "D", "D♯", "E", "F", "F♯", "G", "G♯", "A", "A♯", "B"];
const TICKS_HZ = [50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000];

const clamp = (value, low, high) => Math.min(high, Math.max(low, value));

function clock(seconds) {
  const tenths = Math.round(seconds * 10);
  const tail = String(Math.floor(tenths / 10) % 60).padStart(2, "0");
  return `${Math.floor(tenths / 600)}:${tail}.${tenths % 10}`;
}

function hertz(hz) {
  return hz < 1000 ? `${Math.round(hz)} Hz` : `${(hz / 1000).toFixed(hz < 10000 ? 2 : 1)} kHz`;
}

function note(hz) {
  const midi = Math.round(69 + 12 * Math.log2(hz / 440));
  return `${NOTES[((midi % 12) + 12) % 12]}${Math.floor(midi / 12) - 1}`;
}

function rgb(hex) {
  return [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
}

function colorMap(stops) {
  const points = stops.map(rgb);
  const map = new Uint8Array(256 * 3);
  for (let value = 0; value < 256; value += 1) {
    const at = (value / 255) * (points.length - 1);
    const low = Math.min(Math.floor(at), points.length - 2);
    for (let part = 0; part < 3; part += 1) {
      map[value * 3 + part] = Math.round(points[low][part] + (at - low) * (points[low + 1][part] - points[low][part]));
    }
  }
  return map;
}

async function inflate(text) {
  const packed = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

function paint(picture, cells, map) {
  const image = new ImageData(picture.columns, picture.rows);
  for (let column = 0; column < picture.columns; column += 1) {
    for (let row = 0; row < picture.rows; row += 1) {
      const from = cells[column * picture.rows + row] * 3;
      const to = ((picture.rows - 1 - row) * picture.columns + column) * 4;
      image.data[to] = map[from];
      image.data[to + 1] = map[from + 1];
      image.data[to + 2] = map[from + 2];
      image.data[to + 3] = 255;
    }
  }
  const canvas = document.createElement("canvas");
  canvas.width = picture.columns;
  canvas.height = picture.rows;
  canvas.getContext("2d").putImageData(image, 0, 0);
  return canvas;
}

class View {
  constructor(root) {
    this.root = root;
    this.find = (selector) => root.querySelector(selector);
    this.audio = this.find("audio");
    this.stage = this.find(".stage");
    this.slider = this.find(".overlay");
    this.cursor = this.find(".cursor");
    this.readout = this.find(".readout");
    this.lanes = [];
    this.window = [0, 1];
    this.pointers = new Map();
    this.closeUp = null;
    this.still = 0; // the position while there is no sound to ask
    this.listen();
  }

  // ---- data -------------------------------------------------------------------------------

  async update(text, setStateValue) {
    this.setStateValue = setStateValue;
    if (text !== this.text) {
      this.text = text;
      await this.load(JSON.parse(text));
    }
    this.draw();
  }

  async load(data) {
    const isNew = !this.data || this.data.url !== data.url || this.data.seconds !== data.seconds;
    this.data = data;
    if (isNew) this.open(data);
    const map = colorMap(data.stops);
    const shown = data.closeUp ? [data.closeUp, ...data.pictures.slice(1)] : data.pictures;
    const cells = await Promise.all(shown.map((picture) => inflate(picture.cells)));
    if (this.data !== data) return; // newer data came while this was unpacked
    this.build(data.lanes, shown, cells, map);
    const before = this.closeUp?.segment;
    this.closeUp = data.closeUp;
    if (this.closeUp && this.closeUp.segment !== before) this.showCloseUp();
    if (!this.closeUp && before !== undefined) this.zoomTo(...(this.windowBefore ?? [0, data.seconds]));
    this.slider.setAttribute("aria-valuemax", data.seconds.toFixed(1));
    this.root.host.dataset.ready = "true";
  }

  open(data) {
    this.window = [0, data.seconds];
    this.message = "";
    this.find(".title").textContent = this.find(".title").title = data.title;
    this.find(".total").textContent = clock(data.seconds);
    for (const button of this.root.querySelectorAll(".play, .loop, .rate")) button.disabled = !data.url;
    if (data.url) this.audio.src = data.url;
    else this.audio.removeAttribute("src");
  }

  showCloseUp() {
    const { start, columns, secondsPerColumn } = this.closeUp;
    this.windowBefore = this.window;
    const end = Math.min(this.data.seconds, start + columns * secondsPerColumn);
    this.zoomTo(Math.max(0, start), end);
    if (this.now() < this.window[0] || this.now() > this.window[1]) this.seek(this.window[0]);
  }

  build(lanes, pictures, cells, map) {
    const box = this.find(".lanes");
    box.replaceChildren();
    const add = (kind, facts) => {
      const element = document.createElement("div");
      element.className = `lane ${kind}`;
      const canvas = document.createElement("canvas");
      element.append(canvas);
      box.append(element);
      return { kind, element, canvas, ...facts };
    };
    this.lanes = lanes.map((lane) => {
      const made = add("cells", { lane });
      const label = document.createElement("span");
      label.className = "label";
      label.textContent = lane.name;
      made.element.append(label);
      return made;
    });
    pictures.forEach((picture, index) => {
      const made = add("picture", { picture, cells: cells[index], image: paint(picture, cells[index], map) });
      made.element.setAttribute("role", "img");
      made.element.setAttribute("aria-label", picture.name);
      this.lanes.push(made);
    });
    for (const { element } of this.lanes) this.sizes.observe(element);
  }

  // ---- time -------------------------------------------------------------------------------

  now() {
    return this.data?.url ? this.audio.currentTime : this.still;
  }

  seek(seconds) {
    const target = clamp(seconds, 0, this.data.seconds);
    this.still = target;
    if (this.data.url) this.audio.currentTime = Math.min(target, this.audio.duration || target);
    this.follow();
    this.place();
  }

  toggle() {
    if (!this.data?.url) return;
    if (!this.audio.paused) {
      this.audio.pause();
      return;
    }
    if (this.audio.ended) this.audio.currentTime = this.window[0];
    this.audio.play().catch(() => this.say("The browser did not start the sound. Press play again."));
  }

  tick() {
    this.place();
    if (this.audio.paused) return;
    const [start, end] = this.window;
    const looping = this.find(".loop").getAttribute("aria-pressed") === "true";
    if (looping && end < this.data.seconds && this.now() >= end) this.audio.currentTime = start;
    else if (!looping && !this.pointers.size) this.follow();
    requestAnimationFrame(() => this.tick());
  }

  // Turns the page when the cursor leaves what is shown.
  follow() {
    const [start, end] = this.window;
    const now = this.now();
    if (now >= start - 0.001 && now <= end + 0.001) return;
    this.zoomTo(now, now + (end - start));
  }

  ended() {
    const looping = this.find(".loop").getAttribute("aria-pressed") === "true";
    if (looping) {
      this.audio.currentTime = this.window[0];
      this.audio.play();
    } else {
      this.state();
    }
  }

  state() {
    const playing = !this.audio.paused && !this.audio.ended;
    this.find(".icon").setAttribute("d", playing ? PAUSE : PLAY);
    this.find(".play").setAttribute("aria-label", playing ? "Pause" : "Play");
    if (playing) requestAnimationFrame(() => this.tick());
    this.place();
  }

  // ---- window -----------------------------------------------------------------------------

  zoomTo(start, end) {
    const total = this.data.seconds;
    const width = clamp(end - start, Math.min(MIN_WINDOW_SECONDS, total), total);
    const from = clamp(start, 0, total - width);
    this.window = [from, from + width];
    this.draw();
  }

  zoom(factor, at = this.now()) {
    const [start, end] = this.window;
    const anchor = clamp(at, start, end);
    const width = clamp((end - start) * factor, Math.min(MIN_WINDOW_SECONDS, this.data.seconds), this.data.seconds);
    const share = (anchor - start) / (end - start);
    this.zoomTo(anchor - share * width, anchor + (1 - share) * width);
  }

  pan(seconds) {
    this.zoomTo(this.window[0] + seconds, this.window[1] + seconds);
  }

  // ---- drawing ----------------------------------------------------------------------------

  draw() {
    if (!this.data) return;
    for (const lane of this.lanes) {
      if (lane.kind === "cells") this.drawCells(lane);
      else this.drawPicture(lane);
    }
    this.drawClock();
    const [start, end] = this.window;
    this.find(".out").disabled = this.find(".fit").disabled = end - start > this.data.seconds - 0.001;
    this.find(".in").disabled = end - start <= MIN_WINDOW_SECONDS;
    this.place();
  }

  prepare(canvas) {
    const ratio = window.devicePixelRatio || 1;
    const width = canvas.clientWidth;
    const height = canvas.clientHeight;
    const [w, h] = [Math.max(1, Math.round(width * ratio)), Math.max(1, Math.round(height * ratio))];
    if (canvas.width !== w || canvas.height !== h) Object.assign(canvas, { width: w, height: h });
    const context = canvas.getContext("2d");
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, height);
    return { context, width, height };
  }

  x(seconds, width) {
    const [start, end] = this.window;
    return ((seconds - start) / (end - start)) * width;
  }

  drawPicture({ canvas, picture, image, element }) {
    const { context, width, height } = this.prepare(canvas);
    const left = this.x(picture.start, width);
    const right = this.x(picture.start + picture.columns * picture.secondsPerColumn, width);
    // Cells that are wide on the screen stay cells; many in a pixel are averaged.
    context.imageSmoothingEnabled = (right - left) / picture.columns < 4;
    context.imageSmoothingQuality = "high";
    context.drawImage(image, left, 0, right - left, height);
    this.drawTicks(element, picture, height);
  }

  drawTicks(element, picture, height) {
    for (const old of element.querySelectorAll(".tick")) old.remove();
    let last = Infinity;
    for (const hz of TICKS_HZ) {
      const row = this.rowOf(picture, hz);
      if (row === null) continue;
      const y = height * (1 - (row + 0.5) / picture.rows);
      if (last - y < 17 || y < 6 || y > height - 4) continue;
      last = y;
      const tick = document.createElement("span");
      tick.className = "tick";
      tick.style.top = `${y}px`;
      tick.textContent = hz < 1000 ? `${hz} Hz` : `${hz / 1000} kHz`;
      element.append(tick);
    }
  }

  rowOf(picture, hz) {
    const rows = picture.rowHz;
    if (hz < rows[0] || hz > rows[rows.length - 1]) return null;
    const above = Math.max(1, rows.findIndex((value) => value >= hz));
    return above - 1 + (hz - rows[above - 1]) / (rows[above] - rows[above - 1]);
  }

  drawCells({ canvas, lane }) {
    const { context, width, height } = this.prepare(canvas);
    const style = getComputedStyle(this.stage);
    const top = 17;
    const full = height - top;
    lane.shares.forEach((shares, cell) => {
      const left = this.x(lane.edges[cell], width);
      const right = this.x(lane.edges[cell + 1], width);
      if (right < 0 || left > width) return;
      let base = height;
      shares.forEach((share, label) => {
        const tall = share * full;
        context.fillStyle = lane.colors[label];
        context.fillRect(left, base - tall, right - left + 0.5, tall);
        base -= tall;
      });
    });
    context.font = `12px ${style.fontFamily}`;
    context.textBaseline = "middle";
    for (const run of this.runs(lane)) this.drawRun(context, run, lane, width, style.color);
  }

  // Stretches of one top label, joined.
  runs(lane) {
    const found = [];
    lane.shares.forEach((shares, cell) => {
      const label = shares.length ? shares.indexOf(Math.max(...shares)) : -1;
      const last = found[found.length - 1];
      if (last && last.label === label) last.end = lane.edges[cell + 1];
      else found.push({ label, start: lane.edges[cell], end: lane.edges[cell + 1] });
    });
    return found;
  }

  drawRun(context, run, lane, width, ink) {
    const left = Math.max(0, this.x(run.start, width));
    const right = Math.min(width, this.x(run.end, width));
    if (right <= left) return;
    context.fillStyle = run.label < 0 ? ink : lane.colors[run.label];
    context.globalAlpha = run.label < 0 ? 0.25 : 1;
    context.fillRect(left, 13.5, Math.max(1, right - left - 1.5), 2.5);
    context.globalAlpha = 1;
    const name = run.label < 0 ? lane.blank : lane.labels[run.label];
    if (context.measureText(name).width > right - left - 10) return;
    context.fillStyle = ink;
    context.fillText(name, left + 5, 6.5);
  }

  drawClock() {
    const { context, width } = this.prepare(this.find(".clock"));
    const style = getComputedStyle(this.find(".foot"));
    const [start, end] = this.window;
    const steps = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800];
    const step = steps.find((size) => (size / (end - start)) * width >= 64) ?? 3600;
    context.fillStyle = context.strokeStyle = style.color;
    context.font = `11px ${style.fontFamily}`;
    context.textBaseline = "bottom";
    for (let index = Math.ceil(start / step - 1e-6); index * step <= end + 1e-6; index += 1) {
      const at = this.x(index * step, width);
      const text = step < 1 ? clock(index * step) : clock(index * step).slice(0, -2);
      const wide = context.measureText(text).width;
      context.fillRect(clamp(at, 0.5, width - 1), 0, 1, 4);
      context.fillText(text, clamp(at - wide / 2, 0, width - wide), 18);
    }
  }

  place() {
    if (!this.data) return;
    const now = this.now();
    const width = this.slider.clientWidth;
    this.cursor.style.transform = `translateX(${this.x(now, width)}px)`;
    this.find(".now").textContent = clock(now);
    const words = `${clock(now)} of ${clock(this.data.seconds)}`;
    this.slider.setAttribute("aria-valuenow", now.toFixed(1));
    const status = this.statusAt(now);
    this.slider.setAttribute("aria-valuetext", status.words ? `${words}, ${status.words}` : words);
    if (!this.message) this.find(".status").textContent = this.closeUp?.caption || status.line || "";
    this.segment = status.segment;
    const button = this.find(".close-up");
    button.hidden = !this.data.canCloseUp || (status.segment === undefined && !this.closeUp);
    button.textContent = this.closeUp ? "Back to the whole sound" : "Show the model’s input here";
  }

  statusAt(seconds) {
    const lane = this.data.lanes[0];
    if (!lane) return {};
    const cell = this.cellAt(lane, seconds);
    const words = this.cellWords(lane, cell);
    return {
      words,
      line: `${clock(lane.edges[cell])} to ${clock(lane.edges[cell + 1])}: ${words}`,
      segment: lane.segments[cell],
    };
  }

  cellAt(lane, seconds) {
    const after = lane.edges.findIndex((edge) => edge > seconds);
    return clamp((after < 0 ? lane.edges.length : after) - 1, 0, lane.shares.length - 1);
  }

  cellWords(lane, cell) {
    const shares = lane.shares[cell];
    if (!shares.length) return lane.blank;
    const order = shares.map((share, label) => [share, lane.labels[label]]).sort((a, b) => b[0] - a[0]);
    return order.slice(0, 3).filter(([share], rank) => rank === 0 || share >= 0.05)
      .map(([share, label]) => `${label} ${share.toFixed(2)}`).join(", ");
  }

  say(text) {
    this.message = text;
    this.find(".status").textContent = text;
  }

  // ---- hands ------------------------------------------------------------------------------

  listen() {
    this.sizes = new ResizeObserver(() => this.draw());
    this.sizes.observe(this.stage);
    const on = (selector, event, act) => this.find(selector).addEventListener(event, act);
    on(".play", "click", () => this.toggle());
    on(".in", "click", () => this.zoom(0.5));
    on(".out", "click", () => this.zoom(2));
    on(".fit", "click", () => this.zoomTo(0, this.data.seconds));
    on(".loop", "click", () => this.toggleLoop());
    on(".close-up", "click", () => this.setStateValue("segment", this.closeUp ? null : this.segment));
    for (const button of this.root.querySelectorAll(".rate")) button.addEventListener("click", () => this.setRate(button));
    for (const event of ["play", "pause", "seeked", "loadedmetadata"]) this.audio.addEventListener(event, () => this.state());
    this.audio.addEventListener("ended", () => this.ended());
    this.audio.addEventListener("error", () => {
      if (this.data?.url) this.say("The browser cannot play this sound; the picture still holds.");
    });
    this.find(".view").addEventListener("keydown", (event) => this.key(event));
    this.stage.addEventListener("pointerdown", (event) => this.down(event));
    this.stage.addEventListener("pointermove", (event) => this.move(event));
    this.stage.addEventListener("pointerup", (event) => this.up(event));
    this.stage.addEventListener("pointercancel", (event) => this.pointers.delete(event.pointerId));
    this.stage.addEventListener("pointerleave", () => this.unhover());
    this.stage.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
  }

  toggleLoop() {
    const button = this.find(".loop");
    button.setAttribute("aria-pressed", String(button.getAttribute("aria-pressed") !== "true"));
  }

  setRate(button) {
    this.audio.preservesPitch = true;
    this.audio.defaultPlaybackRate = this.audio.playbackRate = Number(button.dataset.rate);
    for (const each of this.root.querySelectorAll(".rate")) each.setAttribute("aria-pressed", String(each === button));
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || !this.data) return;
    const onButton = event.target.closest("button") !== null;
    const step = event.shiftKey ? 10 : 1;
    const acts = {
      ArrowLeft: () => this.seek(this.now() - step),
      ArrowRight: () => this.seek(this.now() + step),
      Home: () => this.seek(0),
      End: () => this.seek(this.data.seconds),
      "+": () => this.zoom(0.5),
      "=": () => this.zoom(0.5),
      "-": () => this.zoom(2),
      0: () => this.zoomTo(0, this.data.seconds),
      l: () => this.toggleLoop(),
      " ": onButton ? null : () => this.toggle(),
    };
    const act = acts[event.key];
    if (!act) return;
    event.preventDefault();
    event.stopPropagation();
    act();
  }

  secondsAt(event) {
    const box = this.slider.getBoundingClientRect();
    const [start, end] = this.window;
    return start + ((event.clientX - box.left) / box.width) * (end - start);
  }

  down(event) {
    if (event.button !== 0) return;
    this.stage.setPointerCapture(event.pointerId);
    this.pointers.set(event.pointerId, { x: event.clientX, from: event.clientX, moved: false });
  }

  move(event) {
    const pointer = this.pointers.get(event.pointerId);
    if (!pointer) {
      this.hover(event);
      return;
    }
    const [start, end] = this.window;
    const perPixel = (end - start) / this.slider.clientWidth;
    if (Math.abs(event.clientX - pointer.from) > 4) pointer.moved = true;
    const others = [...this.pointers.values()].filter((other) => other !== pointer);
    if (others.length) {
      // Two fingers: the distance between them zooms.
      const before = Math.abs(pointer.x - others[0].x);
      const after = Math.abs(event.clientX - others[0].x);
      pointer.moved = others[0].moved = true;
      if (before > 8 && after > 8) this.zoom(before / after, this.secondsAt(event));
    } else if (pointer.moved) {
      this.pan((pointer.x - event.clientX) * perPixel);
    }
    pointer.x = event.clientX;
    this.hover(event);
  }

  up(event) {
    const pointer = this.pointers.get(event.pointerId);
    this.pointers.delete(event.pointerId);
    if (pointer && !pointer.moved) {
      this.seek(this.secondsAt(event));
      this.slider.focus({ preventScroll: true });
      this.hover(event);
    }
  }

  // A plain wheel scrolls the page; with Ctrl, or a pinch on a touchpad, it zooms; sideways it pans.
  wheel(event) {
    const [start, end] = this.window;
    if (event.ctrlKey || event.metaKey) {
      event.preventDefault();
      this.zoom(Math.exp(clamp(event.deltaY, -100, 100) * 0.004), this.secondsAt(event));
    } else if (Math.abs(event.deltaX) > Math.abs(event.deltaY) || event.shiftKey) {
      event.preventDefault();
      const delta = event.deltaX || event.deltaY;
      this.pan((delta / this.slider.clientWidth) * (end - start));
    }
  }

  hover(event) {
    const box = this.slider.getBoundingClientRect();
    const seconds = this.secondsAt(event);
    const inside = event.clientX >= box.left && event.clientX <= box.right;
    const lane = this.lanes.find(({ element }) => {
      const { top, bottom } = element.getBoundingClientRect();
      return event.clientY >= top && event.clientY < bottom;
    });
    const text = inside && lane ? this.describe(lane, seconds, event.clientY) : "";
    this.readout.hidden = !text;
    this.readout.textContent = text;
    this.readout.classList.toggle("left", event.clientX > box.left + 0.6 * box.width);
    const hair = this.find(".hair");
    hair.style.opacity = inside ? 0.8 : 0;
    hair.style.transform = `translateX(${event.clientX - box.left}px)`;
  }

  unhover() {
    this.readout.hidden = true;
    this.find(".hair").style.opacity = 0;
  }

  describe(lane, seconds, clientY) {
    if (lane.kind === "cells") return `${clock(seconds)} · ${this.cellWords(lane.lane, this.cellAt(lane.lane, seconds))}`;
    const { picture, cells } = lane;
    const column = Math.floor((seconds - picture.start) / picture.secondsPerColumn);
    if (column < 0 || column >= picture.columns) return clock(Math.max(0, seconds));
    const { top, height } = lane.element.getBoundingClientRect();
    const at = clamp((1 - (clientY - top) / height) * picture.rows - 0.5, 0, picture.rows - 1);
    const low = Math.min(Math.floor(at), picture.rows - 2);
    const hz = picture.rowHz[low] + (at - low) * (picture.rowHz[low + 1] - picture.rowHz[low]);
    const value = cells[column * picture.rows + Math.round(at)];
    const decibels = Math.round(picture.low + (value / 255) * (picture.high - picture.low));
    const level = value === 0 ? `≤ −${-picture.low} dB` : `${decibels < 0 ? "−" : ""}${Math.abs(decibels)} dB`;
    return `${clock(seconds)} · ${hertz(hz)} (${note(hz)}) · ${level}`;
  }

  close() {
    this.audio.pause();
    this.audio.removeAttribute("src");
    this.audio.load();
    this.sizes.disconnect();
  }
}

export default function ({ data, parentElement, setStateValue }) {
  let view = views.get(parentElement);
  if (!view) {
    view = new View(parentElement);
    views.set(parentElement, view);
  }
  view.update(data.json, setStateValue);
  return () => {
    view.close();
    views.delete(parentElement);
  };
}
