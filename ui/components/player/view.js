// The listening view. One instance lives as long as its element; Streamlit calls the default
// export again whenever data or theme change, and the function it returns when the element goes.

// By key: while a page is drawn anew, one sound may have two views for a moment. The later one goes on for both.
const living = new Map();
const MIN_WINDOW_SECONDS = 0.5;
// The clock tells a part's start from its end.
const MIN_PART_SECONDS = 0.1;
const PLAY = "M5 3l12 7-12 7z";
const PAUSE = "M5 3h4v14H5zM11 3h4v14h-4z";
const PEAK_REACH_PIXELS = 8;
const TICKS_HZ = [50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000];

const clamp = (value, low, high) => Math.min(high, Math.max(low, value));

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
    // Another version of the same sound goes on where the last one was.
    const isVersion = isNew && this.data?.key === data.key && this.data?.seconds === data.seconds;
    if (isNew && !isVersion) this.remember();
    this.data = data;
    this.takeOver();
    if (isNew) this.open(data, isVersion);
    const map = colorMap(data.stops);
    const shown = data.closeUp ? [data.closeUp, ...data.pictures.slice(1)] : data.pictures;
    const unpack = (packed) => (packed ? inflate(packed) : null);
    const cells = await Promise.all(shown.map((picture) => unpack(picture.cells)));
    const tints = await Promise.all(shown.map((picture) => unpack(picture.tint?.cells)));
    const details = await Promise.all(
      shown.map(async (picture, index) => {
        const detail = data.closeUp ? null : data.details[index];
        return detail?.cells ? { ...detail, cells: await inflate(detail.cells) } : detail;
      }),
    );
    if (this.data !== data) return; // newer data came while this was unpacked
    this.build(data.lanes, shown, cells, map, tints, data.stops);
    this.takeDetails(details, map);
    this.openSpan(data);
    const before = this.closeUp?.segment;
    this.closeUp = data.closeUp;
    if (this.closeUp && this.closeUp.segment !== before) this.showCloseUp();
    if (!this.closeUp && before !== undefined) this.zoomTo(...(this.windowBefore ?? [0, data.seconds]));
    this.slider.setAttribute("aria-valuemax", data.seconds.toFixed(1));
    this.root.host.dataset.ready = "true";
  }

  takeOver() {
    const before = living.get(this.data.key);
    if (before === this) return;
    before?.remember();
    living.set(this.data.key, this);
    if (before?.ownsKeys()) this.takeKeys();
  }

  open(data, isVersion) {
    if (!isVersion) this.chosen = 0;
    this.offer(data.versions);
    const url = data.versions[this.chosen]?.url ?? data.url;
    this.message = "";
    if (!isVersion) this.isWaiting = false;
    this.region = data.region ?? null;
    this.find(".title").textContent = this.find(".title").title = data.title;
    this.find(".total").textContent = clock(data.seconds);
    for (const button of this.root.querySelectorAll(".play, .loop, .rate, .loudness")) button.hidden = !data.url;
    if (isVersion && url) {
      this.switchTo(url);
      return;
    }
    if (url) this.audio.src = url;
    else this.audio.removeAttribute("src");
    if (isVersion) return;
    this.span = undefined;
    this.detailed = null;
    this.recall(data);
  }

  // The part that the pictures show; a new one is gone to.
  openSpan(data) {
    this.find(".select").hidden = !data.canSelect;
    this.find(".view").classList.toggle("loose", !data.docked);
    for (const button of this.root.querySelectorAll(".save")) button.hidden = !data.saveName;
    const span = String(data.span ?? "");
    if (span === (this.span ?? "")) return;
    this.span = span;
    this.setRegion(null);
    this.zoomTo(...(data.span ?? [0, data.seconds]));
    if (this.now() < this.window[0] || this.now() > this.window[1]) this.seek(this.window[0]);
  }

  showCloseUp() {
    const { start, columns, secondsPerColumn } = this.closeUp;
    this.windowBefore = this.window;
    const end = Math.min(this.data.seconds, start + columns * secondsPerColumn);
    this.zoomTo(Math.max(0, start), end);
    if (this.now() < this.window[0] || this.now() > this.window[1]) this.seek(this.window[0]);
  }

  build(lanes, pictures, cells, map, tints, stops) {
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
      // A thin one has its name in it: the gutter is too narrow for words.
      made.element.classList.toggle("thin", lane.thin);
      label.textContent = label.title = lane.thin ? "" : lane.name;
      made.element.append(label);
      return made;
    });
    pictures.forEach((picture, index) => {
      const head = picture.title ? this.heading(picture) : null;
      if (head) box.append(head);
      const made = picture.cells
        ? add("picture", this.painted(picture, cells[index], picture.stops ? colorMap(picture.stops) : map, tints[index]))
        : add("curves", { picture });
      // Where it does not reach there is nothing, and of a difference that is its middle.
      const nothing = picture.low === -picture.high ? (picture.stops?.length ?? 0) >> 1 : 0;
      if (picture.stops) made.element.style.background = picture.stops[nothing];
      if (picture.cells) made.element.append(this.scale(picture, picture.stops ?? stops));
      if (picture.height) made.element.style.setProperty("--height", `${picture.height}px`);
      made.step = head?.querySelector(".step");
      made.element.setAttribute("role", "img");
      made.element.setAttribute("aria-label", picture.name);
      this.lanes.push(made);
    });
    this.listRuns(lanes);
    for (const { element } of this.lanes) this.sizes.observe(element);
  }

  takeDetails(details, map) {
    const pictured = this.lanes.filter(({ picture }) => picture);
    pictured.forEach((lane, index) => {
      const detail = details[index];
      if (!detail) return;
      const colors = lane.picture.stops ? colorMap(lane.picture.stops) : map;
      lane.detail = detail.cells ? { ...detail, image: paint(detail, detail.cells, colors) } : detail;
    });
  }

  painted(picture, cells, map, tint) {
    return { picture, cells, image: paint(picture, cells, map), tint, tintImage: tint && paintTint(picture.tint, tint) };
  }

  // What the colours mean: the highest value on top.
  scale({ low, high, unit = "dB" }, stops) {
    const scale = document.createElement("div");
    scale.className = "scale";
    const strip = document.createElement("div");
    strip.className = "strip";
    strip.style.background = `linear-gradient(to top, ${stops.join(", ")})`;
    strip.dataset.stops = stops.join(" ");
    if (unit === "dB" && high === 0) scale.title = "dB from the loudest spot of the picture";
    const words = [number(high, unit && "dB"), unit, number(low, unit && "dB")].map((text) => {
      const word = document.createElement("span");
      word.textContent = text.replace(" dB", "");
      return word;
    });
    scale.append(strip, ...words);
    return scale;
  }

  heading({ title, about }) {
    const head = document.createElement("div");
    head.className = "head";
    const name = document.createElement("b");
    name.textContent = title;
    const step = document.createElement("span");
    step.className = "step";
    head.append(name, about ? ` ${about}` : "", step);
    head.title = about ?? "";
    return head;
  }

  // ---- window -----------------------------------------------------------------------------

  zoomTo(start, end) {
    const total = this.data.seconds;
    const width = clamp(end - start, Math.min(MIN_WINDOW_SECONDS, total), total);
    const from = clamp(start, 0, total - width);
    this.window = [from, from + width];
    this.draw();
  }

  // What a key or a button zooms to: what sounds, else the part that was chosen, else the cursor.
  lookedAt() {
    const { region } = this;
    const now = this.now();
    const isCursor = !region || this.isPlaying() || (now >= region.start && now <= region.end);
    return isCursor ? now : (region.start + region.end) / 2;
  }

  zoom(factor, at = this.lookedAt()) {
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
    // Off the page nothing has a size or a colour.
    if (!this.data || !this.root.host.isConnected) return;
    for (const lane of this.lanes) {
      if (lane.kind === "cells") this.drawCells(lane);
      else if (lane.kind === "curves") this.drawCurves(lane);
      else this.drawPicture(lane);
      this.tellStep(lane);
    }
    this.drawClock();
    this.drawLegend();
    this.placeRegion();
    const [start, end] = this.window;
    this.find(".out").disabled = this.find(".fit").disabled = end - start > this.data.seconds - 0.001;
    this.askDetail();
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

  drawPicture(lane) {
    const { canvas, picture, image, element, tintImage, detail } = lane;
    const { context, width, height } = this.prepare(canvas);
    const left = this.x(picture.start, width);
    const right = this.x(picture.start + picture.columns * picture.secondsPerColumn, width);
    // Cells that are wide on the screen stay cells; many in a pixel are averaged.
    context.imageSmoothingEnabled = (right - left) / picture.columns < 4;
    context.imageSmoothingQuality = "high";
    context.drawImage(image, left, 0, right - left, height);
    this.drawDetail(context, detail, width, height);
    if (tintImage) {
      const { start, columns, secondsPerColumn } = picture.tint;
      const from = this.x(start, width);
      context.imageSmoothingEnabled = false;
      context.drawImage(tintImage, from, 0, this.x(start + columns * secondsPerColumn, width) - from, height);
    }
    const y = (value) => height * (1 - (this.rowOf(picture, value, true) + 0.5) / picture.rows);
    for (const curve of this.curvesOf(lane)) {
      this.stroke(context, curve, width, y, "rgb(0 0 0 / 70%)", 3.5);
      this.stroke(context, curve, width, y, curve.color, 1.5);
    }
    this.drawMarks(context, picture, width, height, "#fff");
    this.drawTicks(element, picture, height);
  }

  drawCurves(lane) {
    const { canvas, picture, element } = lane;
    const { context, width, height } = this.prepare(canvas);
    const style = getComputedStyle(this.stage);
    const y = (value) => (height - 2) * (1 - (value - picture.low) / (picture.high - picture.low)) + 1;
    this.drawMarks(context, picture, width, height, style.color);
    for (const curve of this.curvesOf(lane)) this.stroke(context, curve, width, y, curve.color, 1.3);
    this.placeTicks(element, picture.ticks.map(([value, text]) => [y(value), text]), height);
  }

  drawMarks(context, { marks }, width, height, color) {
    context.fillStyle = color;
    context.globalAlpha = 0.55;
    for (const seconds of marks ?? []) context.fillRect(this.x(seconds, width) - 0.5, 0, 1, height);
    context.globalAlpha = 1;
  }

  // A line, or the band between lows and highs, as points on the screen; null is a gap.
  stroke(context, curve, width, y, color, thick) {
    context.strokeStyle = context.fillStyle = color;
    context.lineWidth = thick;
    context.lineJoin = "round";
    const [start, end] = this.window;
    const first = Math.max(0, Math.floor((start - curve.start) / curve.step) - 1);
    const last = Math.min(curve.values.length - 1, Math.ceil((end - curve.start) / curve.step) + 1);
    if (curve.fill) {
      const wide = Math.max(1, (curve.step / (end - start)) * width);
      for (let index = first; index <= last; index += 1) {
        const [top, bottom] = [y(curve.highs[index]), y(curve.values[index])];
        context.fillRect(this.x(curve.start + index * curve.step, width) - wide / 2, top, wide, Math.max(1, bottom - top));
      }
      return;
    }
    for (const values of curve.highs ? [curve.values, curve.highs] : [curve.values]) {
      context.setLineDash(curve.highs ? [4, 4] : []);
      context.beginPath();
      let isDown = false;
      for (let index = first; index <= last; index += 1) {
        const value = values[index];
        if (value !== null) context[isDown ? "lineTo" : "moveTo"](this.x(curve.start + index * curve.step, width), y(value));
        isDown = value !== null;
      }
      context.stroke();
    }
    context.setLineDash([]);
  }

  drawTicks(element, picture, height) {
    const y = (row) => height * (1 - (row + 0.5) / picture.rows);
    const found = picture.ticks?.map(([row, text]) => [y(row), text]) ?? [];
    for (const hz of picture.ticks ? [] : TICKS_HZ) {
      const row = this.rowOf(picture, hz);
      if (row !== null) found.push([y(row), hz < 1000 ? `${hz} Hz` : `${hz / 1000} kHz`]);
    }
    this.placeTicks(element, found, height);
  }

  placeTicks(element, ticks, height) {
    for (const old of element.querySelectorAll(".tick")) old.remove();
    let last = Infinity;
    for (const [y, text] of ticks) {
      if (last - y < 13 || y < 0 || y > height) continue;
      last = y;
      const tick = document.createElement("span");
      tick.className = "tick";
      tick.style.top = `${clamp(y, 6, height - 4)}px`;
      tick.textContent = text;
      element.append(tick);
    }
  }

  rowOf(picture, hz, isBounded = false) {
    const rows = picture.rowHz;
    if (isBounded) hz = clamp(hz, rows[0], rows[rows.length - 1]);
    if (hz < rows[0] || hz > rows[rows.length - 1]) return null;
    const above = Math.max(1, rows.findIndex((value) => value >= hz));
    return above - 1 + (hz - rows[above - 1]) / (rows[above] - rows[above - 1]);
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
    const region = this.region && `Part: ${clock(this.region.start)} to ${clock(this.region.end)}`;
    if (!this.message) this.find(".status").textContent = this.closeUp?.caption || region || status.line || "";
    this.tellWords();
    this.segment = status.segment;
    const button = this.find(".close-up");
    button.hidden = !this.data.canCloseUp || (status.segment === undefined && !this.closeUp);
    button.textContent = this.closeUp ? "Back to the whole sound" : "Show the model’s input here";
  }

  // What has come about, on the first picture; read out where it is another than before.
  tellWords() {
    const told = this.find(".told");
    const words = this.hintWords() || this.endWords() || this.partWords();
    if (told.textContent === words) return;
    told.textContent = words;
    const first = this.lanes.find(({ picture }) => picture);
    told.parentElement.style.top = `${6 + (first?.element.offsetTop ?? 0)}px`;
  }

  // What Python said is of the part that it was told of, not of one that was drawn since, nor of what is seen without it.
  partWords() {
    const { region, told } = this.data;
    const isIt = this.region && region?.start === this.region.start && region.end === this.region.end;
    return isIt && region.start < this.window[1] && region.end > this.window[0] ? told : "";
  }

  say(text) {
    this.message = text;
    this.find(".status").textContent = text;
  }

  // ---- region -----------------------------------------------------------------------------

  setRegion(region) {
    this.region = region;
    this.placeRegion();
    this.place();
  }

  dropRegion() {
    this.find(".select").setAttribute("aria-pressed", "false");
    this.setRegion(null);
    this.tellRegion();
  }

  // I and O: where the part starts and ends, at the cursor.
  mark(side) {
    if (!this.data.canSelect) return;
    const isStart = side === "start";
    const now = this.now();
    // Beside a picture that the cursor is not on, that of the sound.
    const ahead = this.window[1] > now ? this.window[1] : this.data.seconds;
    const behind = this.window[0] < now ? this.window[0] : 0;
    const edge = isStart ? ahead : behind;
    const other = this.region?.[isStart ? "end" : "start"] ?? edge;
    const isCrossed = isStart ? now > other + MIN_PART_SECONDS : now < other - MIN_PART_SECONDS;
    // Where the part would end before it starts, its other side is where the picture ends.
    const [start, end] = [now, isCrossed ? edge : other].sort((a, b) => a - b);
    if (end - start < MIN_PART_SECONDS) {
      this.hint(isStart ? "A part starts before it ends: go back, then press I." : "A part ends after it starts: go on, then press O.");
      return;
    }
    this.find(".select").setAttribute("aria-pressed", "true");
    this.setRegion({ start: Number(start.toFixed(3)), end: Number(end.toFixed(3)) });
    this.tellRegion();
  }

  // Said until the cursor moves or the part is another.
  hint(words) {
    this.hinted = { words, at: this.now(), region: this.region };
    this.place();
  }

  hintWords() {
    const { words, at, region } = this.hinted ?? {};
    return at === this.now() && region === this.region ? words : "";
  }

  tellRegion() {
    this.tell("region", this.region);
  }

  placeRegion() {
    const box = this.find(".region");
    box.hidden = !this.region;
    if (!this.region) return;
    const width = this.slider.clientWidth;
    const { start, end, low, high } = this.region;
    const lane = low === undefined ? null : this.lanes.find(({ picture }) => picture?.rowUnit === "Hz");
    box.style.left = `${this.x(start, width)}px`;
    box.style.width = `${Math.max(1, this.x(end, width) - this.x(start, width))}px`;
    box.style.top = lane ? `${this.yOf(lane, high)}px` : "0";
    box.style.height = lane ? `${this.yOf(lane, low) - this.yOf(lane, high)}px` : "100%";
  }

  yOf({ element, picture }, hz) {
    return element.offsetTop + element.clientHeight * (1 - (this.rowOf(picture, hz, true) + 0.5) / picture.rows);
  }

  drag(pointer, event) {
    const [from, to] = [pointer.seconds, clamp(this.secondsAt(event), 0, this.data.seconds)].sort((a, b) => a - b);
    const start = Math.min(from, Math.max(0, this.data.seconds - MIN_PART_SECONDS));
    const region = { start: Number(start.toFixed(3)), end: Number(Math.max(to, start + MIN_PART_SECONDS).toFixed(3)) };
    const lane = this.laneAt(pointer.fromY);
    if (lane?.picture?.rowUnit === "Hz" && Math.abs(event.clientY - pointer.fromY) > 12) {
      const [low, high] = [this.hzAt(lane, pointer.fromY), this.hzAt(lane, event.clientY)].sort((a, b) => a - b);
      Object.assign(region, { low: Math.round(low), high: Math.round(high) });
    }
    this.setRegion(region);
  }

  laneAt(clientY) {
    return this.lanes.find(({ element }) => {
      const { top, bottom } = element.getBoundingClientRect();
      return clientY >= top && clientY < bottom;
    });
  }

  rowAt({ element, picture }, clientY) {
    const { top, height } = element.getBoundingClientRect();
    return clamp((1 - (clientY - top) / height) * picture.rows - 0.5, 0, picture.rows - 1);
  }

  hzAt(lane, clientY) {
    return this.hzOf(lane.picture, this.rowAt(lane, clientY));
  }

  hzOf({ rowHz, rows }, row) {
    const low = Math.min(Math.floor(row), rows - 2);
    return rowHz[low] + (row - low) * (rowHz[low + 1] - rowHz[low]);
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
    on(".select", "click", () => this.toggleSelect());
    for (const button of this.root.querySelectorAll(".save")) button.addEventListener("click", () => this.save(button.dataset.kind));
    on(".close-up", "click", () => this.tell("segment", this.closeUp ? null : this.segment));
    for (const button of this.root.querySelectorAll(".rate")) button.addEventListener("click", () => this.chooseRate(button));
    on(".volume", "input", () => this.setVolume(Number(this.find(".volume").value)));
    this.hear(this.audio);
    this.listenToKeys();
    this.listenToClicks();
    on(".keys", "click", () => this.toggleHelp());
    this.stage.addEventListener("pointerdown", (event) => this.down(event));
    this.stage.addEventListener("pointermove", (event) => this.move(event));
    this.stage.addEventListener("pointerup", (event) => this.up(event));
    this.stage.addEventListener("pointercancel", (event) => this.pointers.delete(event.pointerId));
    this.stage.addEventListener("pointerleave", () => this.unhover());
    this.stage.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
  }

  toggleSelect() {
    const button = this.find(".select");
    const isOn = button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", String(isOn));
    if (!isOn && this.region) this.dropRegion();
  }

  secondsAt(event) {
    const box = this.slider.getBoundingClientRect();
    const [start, end] = this.window;
    return start + ((event.clientX - box.left) / box.width) * (end - start);
  }

  down(event) {
    if (event.button !== 0) return;
    this.stage.setPointerCapture(event.pointerId);
    const isSelecting = this.data.canSelect && (event.shiftKey || this.find(".select").getAttribute("aria-pressed") === "true");
    const seconds = clamp(this.secondsAt(event), 0, this.data.seconds);
    const pointer = { x: event.clientX, from: event.clientX, fromY: event.clientY, moved: false, isSelecting, seconds };
    this.pointers.set(event.pointerId, pointer);
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
    if (pointer.isSelecting) {
      if (pointer.moved) this.drag(pointer, event);
      this.hover(event);
      return;
    }
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
    if (pointer?.isSelecting && pointer.moved) {
      this.find(".select").setAttribute("aria-pressed", "true");
      this.tellRegion();
    } else if (pointer && !pointer.moved) {
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
    const lane = this.laneAt(event.clientY);
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
    const { picture } = lane;
    if (lane.kind === "curves") return [clock(seconds), ...this.curveWords(lane, seconds)].join(" · ");
    const { start, secondsPerColumn, columns, cells } = this.finest(lane, seconds);
    const column = Math.floor((seconds - start) / secondsPerColumn);
    if (column < 0 || column >= columns) return clock(Math.max(0, seconds));
    const at = this.rowAt(lane, clientY);
    const value = cells[column * picture.rows + Math.round(at)];
    const words = [clock(seconds), this.rowWords(picture, at), this.levelWords(picture, value)];
    if (picture.peaks) words.push(...this.peakWords(lane, cells, column, at));
    if (lane.tint) words.push(this.tintWords(lane, seconds, at));
    return [...words, ...this.curveWords(lane, seconds)].join(" · ");
  }

  // What a level is counted from is said: nothing on the page is as loud as 0 dB of nothing.
  levelWords({ low, high, unit = "dB" }, value) {
    const level = number(low + (value / 255) * (high - low), unit);
    const least = value === 0 && isLevel(unit) ? "≤ " : "";
    return `${least}${level}${unit === "dB" && high === 0 ? " from the loudest" : ""}`;
  }

  rowWords(picture, row) {
    if (picture.rowNames?.length) return picture.rowNames[Math.round(row)];
    const value = this.hzOf(picture, row);
    return picture.rowUnit === "BPM" ? `${Math.round(value)} BPM` : `${hertz(value)} (${note(value)})`;
  }

  // The loudest row near the pointer, its place refined by a parabola through its neighbours.
  peakWords({ picture, element }, cells, column, at) {
    const reach = (PEAK_REACH_PIXELS / element.clientHeight) * picture.rows;
    const [first, last] = [Math.max(1, Math.ceil(at - reach)), Math.min(picture.rows - 2, Math.floor(at + reach))];
    const value = (row) => cells[column * picture.rows + row];
    let best = first;
    for (let row = first; row <= last; row += 1) if (value(row) > value(best)) best = row;
    const [below, top, above] = [value(best - 1), value(best), value(best + 1)];
    if (first > last || top === 0 || top < below || top < above || below + above === 2 * top) return [];
    const hz = this.hzOf(picture, best + (0.5 * (below - above)) / (below - 2 * top + above));
    return [`peak ${hertz(hz)} (${note(hz)})`];
  }

  tintWords({ tint, picture }, seconds, at) {
    const { columns, rows, start, secondsPerColumn } = picture.tint;
    const column = clamp(Math.floor((seconds - start) / secondsPerColumn), 0, columns - 1);
    const share = tint[column * rows + clamp(Math.floor(((at + 0.5) / picture.rows) * rows), 0, rows - 1)] - 128;
    if (Math.abs(share) < 19) return "no say";
    return share > 0 ? "speaks for it" : "speaks against it";
  }

  curveWords(lane, seconds) {
    const { picture } = lane;
    return this.curvesOf(lane).flatMap((curve) => {
      const index = Math.round((seconds - curve.start) / curve.step);
      const values = [curve.values[index], curve.highs?.[index]].filter((value) => value !== undefined && value !== null);
      if (!values.length) return [];
      const unit = picture.rowUnit || picture.unit;
      return [`${curve.name} ${values.map((value) => (unit === "Hz" ? hertz(value) : number(value, unit))).join(" to ")}`];
    });
  }

  // Whoever comes next may ask what it is to go on with before this one is closed.
  leave() {
    this.remember();
  }

  close() {
    clearTimeout(this.asking);
    this.remember();
    if (this.data && living.get(this.data.key) === this) living.delete(this.data.key);
    // What is still being unpacked, or was about to happen, finds nothing to do.
    this.data = this.switching = null;
    this.forgetKeys();
    this.forgetClicks();
    this.audio.pause();
    this.audio.removeAttribute("src");
    this.audio.load();
    this.sizes.disconnect();
  }
}

Object.assign(View.prototype, timeline, detailing, sounding, saving, telling, keyboard);

export default function ({ data, parentElement, setStateValue }) {
  lastingOn(parentElement, () => new View(parentElement)).update(data.json, setStateValue);
  return () => leave(parentElement);
}
