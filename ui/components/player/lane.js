// The row of named stretches: shares of labels over time, and the stretches' names above them.

// Narrower bars than this are joined: hours are no confetti.
const LEAST_BAR_PIXELS = 4;
// Of a bar, what is lower than this is a thin line.
const LEAST_NAMED_SHARE = 0.15;

const timeline = {
  isDark() {
    return isDarkAt(this.stage);
  },

  drawCells({ canvas, lane }) {
    const { context, width, height } = this.prepare(canvas);
    const style = getComputedStyle(this.stage);
    const colors = this.isDark() ? lane.colors.map(lifted) : lane.colors;
    const top = lane.thin ? 1 : 17;
    const full = height - top;
    for (const { left, right, shares } of this.barsOf(lane, width)) {
      let base = height;
      shares.forEach((share, label) => {
        const tall = share * full;
        context.fillStyle = colors[label];
        context.fillRect(left, base - tall, right - left + 0.5, tall);
        base -= tall;
      });
    }
    context.font = `12px ${style.fontFamily}`;
    context.textBaseline = "middle";
    if (lane.thin) {
      // On the page's own colour it can be read over a bar, too.
      context.lineJoin = "round";
      context.lineWidth = 3;
      context.strokeStyle = style.getPropertyValue("--st-background-color");
      context.strokeText(lane.name, 5, height / 2 + 0.5);
      context.fillStyle = style.color;
      context.fillText(lane.name, 5, height / 2 + 0.5);
      return;
    }
    for (const run of this.runs(lane)) this.drawRun(context, run, lane, width, { ink: style.color, colors });
  },

  // What is on the screen, neighbours averaged until each is wide enough to be seen.
  barsOf(lane, width) {
    const bars = [];
    let open = null;
    lane.shares.forEach((shares, cell) => {
      const left = this.x(lane.edges[cell], width);
      const right = this.x(lane.edges[cell + 1], width);
      if (right < 0 || left > width) return;
      const isBlank = !shares.length;
      if (!open || open.right - open.left >= LEAST_BAR_PIXELS || open.isBlank !== isBlank) {
        open = { left, right, isBlank, shares: [...shares], seconds: lane.edges[cell + 1] - lane.edges[cell] };
        bars.push(open);
        return;
      }
      const seconds = lane.edges[cell + 1] - lane.edges[cell];
      const total = open.seconds + seconds;
      open.shares = open.shares.map((share, label) => (share * open.seconds + shares[label] * seconds) / total);
      Object.assign(open, { right, seconds: total });
    });
    return bars;
  },

  // Named stretches; where none are given, neighbours of one top label.
  runs(lane) {
    if (lane.runs.length) return lane.runs.map(([start, end, label, share]) => ({ start, end, label, share }));
    const found = [];
    lane.shares.forEach((shares, cell) => {
      const label = shares.length ? shares.indexOf(Math.max(...shares)) : -1;
      const last = found[found.length - 1];
      if (last && last.label === label) last.end = lane.edges[cell + 1];
      else found.push({ label, start: lane.edges[cell], end: lane.edges[cell + 1] });
    });
    return found;
  },

  drawRun(context, run, lane, width, { ink, colors }) {
    const left = Math.max(0, this.x(run.start, width));
    const right = Math.min(width, this.x(run.end, width));
    if (right <= left) return;
    context.fillStyle = run.label < 0 ? ink : colors[run.label];
    context.globalAlpha = run.label < 0 ? 0.25 : 1;
    context.fillRect(left, 13.5, Math.max(1, right - left - 1.5), 2.5);
    context.globalAlpha = 1;
    const name = run.label < 0 ? lane.blank : lane.labels[run.label];
    if (context.measureText(name).width > right - left - 10) return;
    context.fillStyle = ink;
    context.fillText(name, left + 5, 6.5);
  },

  // The colours that nothing else on the page names: of stretches too narrow for their name, and within the bars.
  // As for the whole, so that nothing moves while it is zoomed.
  drawLegend() {
    for (const dot of this.root.querySelectorAll(".runs .dot")) dot.style.background = colorAt(this.stage, dot.dataset.color);
    const list = this.find(".legend");
    const { lane, canvas } = this.lanes.find(({ lane }) => lane && !lane.thin) ?? {};
    const found = lane && canvas.clientWidth ? this.unnamed(lane, canvas) : [];
    const text = found.join(" ");
    if (list.dataset.shown === text && list.dataset.dark === String(this.isDark())) return;
    Object.assign(list.dataset, { shown: text, dark: this.isDark() });
    list.hidden = !found.length;
    list.replaceChildren(
      ...found.map((label) => {
        const item = document.createElement("li");
        const dot = document.createElement("span");
        dot.className = "dot";
        dot.style.background = colorAt(this.stage, lane.colors[label]);
        item.append(dot, lane.labels[label]);
        return item;
      }),
    );
  },

  unnamed(lane, canvas) {
    const [start, end] = this.data.span ?? [0, this.data.seconds];
    const context = canvas.getContext("2d");
    context.font = `12px ${getComputedStyle(this.stage).fontFamily}`;
    const named = new Set();
    const seen = new Set();
    for (const run of this.runs(lane)) {
      const wide = ((Math.min(run.end, end) - Math.max(run.start, start)) / (end - start)) * canvas.clientWidth;
      if (run.label < 0 || wide <= 0) continue;
      seen.add(run.label);
      if (lane.listsRuns || context.measureText(lane.labels[run.label]).width <= wide - 10) named.add(run.label);
    }
    lane.shares.forEach((shares, cell) => {
      const isShown = lane.edges[cell + 1] > start && lane.edges[cell] < end;
      shares.forEach((share, label) => isShown && share >= LEAST_NAMED_SHARE && seen.add(label));
    });
    return [...seen].filter((label) => !named.has(label)).sort((a, b) => a - b);
  },

  // The stretches of a sound that changes, each a click away.
  listRuns(all) {
    const lane = all.find(({ listsRuns }) => listsRuns);
    const list = this.find(".runs");
    const at = this.data.pictures.find(({ moment }) => moment !== undefined)?.moment;
    list.hidden = !lane && at === undefined;
    const named = lane ? this.runs(lane).filter(({ label }) => label >= 0) : [];
    list.replaceChildren(
      ...named.map(({ start, end, label, share }) => {
        const item = document.createElement("li");
        const button = document.createElement("button");
        const dot = document.createElement("span");
        button.type = "button";
        dot.className = "dot";
        dot.dataset.color = lane.colors[label];
        dot.style.background = colorAt(this.stage, lane.colors[label]);
        button.append(dot, `${clock(start).slice(0, -2)} ${lane.labels[label]}`);
        button.title = `Go to ${clock(start)}: ${lane.labels[label]} to ${clock(end)}, ${confidence(share)}`;
        button.addEventListener("click", () => this.seek(start));
        item.append(button);
        return item;
      }),
    );
    if (at !== undefined) list.append(this.momentButton(at));
  },

  // One that is worth hearing: from half a second before it.
  momentButton(at) {
    const item = document.createElement("li");
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = `Hear ${clock(at)}`;
    button.addEventListener("click", () => {
      this.seek(Math.max(0, at - 0.5));
      if (!this.isPlaying()) this.toggle();
    });
    item.append(button);
    return item;
  },

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
  },

  cellAt(lane, seconds) {
    const after = lane.edges.findIndex((edge) => edge > seconds);
    return clamp((after < 0 ? lane.edges.length : after) - 1, 0, lane.shares.length - 1);
  },

  cellWords(lane, cell) {
    const shares = lane.shares[cell];
    if (!shares.length) return lane.blank;
    const order = shares.map((share, label) => [share, lane.labels[label]]).sort((a, b) => b[0] - a[0]);
    return order.slice(0, 3).filter(([share], rank) => rank === 0 || share >= 0.05)
      .map(([share, label]) => `${label} ${confidence(share)}`).join(", ");
  },
};
