// Zoom shows more, not larger: what is on the screen is asked for at the detail of the screen, once the zoom rests.

const REST_MS = 200;
// A column wider than this is a brick.
const BRICK_PIXELS = 1.6;
// From here on cells are seen as cells.
const STEP_PIXELS = 6;

const detailing = {
  askDetail() {
    clearTimeout(this.asking);
    if (!this.data.canDetail || this.closeUp) return;
    this.asking = setTimeout(() => {
      const [start, end] = this.window;
      const width = end - start;
      const perSecond = this.slider.clientWidth / width;
      const isCoarse = this.lanes.some(({ picture }) => picture && this.stepOf(picture) * perSecond > BRICK_PIXELS);
      const [from, to] = this.detailed ?? [0, 0];
      const isThere = from <= start + 0.01 && to >= end - 0.01 && to - from <= 4.5 * width;
      if (!isCoarse || isThere) return;
      // The neighbours come along: the next small step is there already.
      const asked = [Math.max(0, start - width / 2), Math.min(this.data.seconds, end + width / 2)];
      this.detailed = asked;
      this.tell("detail", asked.map((seconds) => Number(seconds.toFixed(2))), { isAsked: false });
    }, REST_MS);
  },

  stepOf(picture) {
    return picture.secondsPerColumn ?? picture.curves?.[0]?.step ?? 0;
  },

  // Whether what came finer reaches as far as what is on the screen. Its curves may not: a window has its middle.
  isDetailed() {
    const [from, to] = this.data.detailed ?? [0, 0];
    return from <= this.window[0] + 0.01 && to >= this.window[1] - 0.01;
  },

  // What is drawn at a moment: the cells of the part that was zoomed to, or those of the whole.
  finest({ picture, cells, detail }, seconds) {
    const { start, columns, secondsPerColumn } = detail ?? {};
    return detail?.cells && seconds >= start && seconds < start + columns * secondsPerColumn ? detail : { ...picture, cells };
  },

  // Where a zoom shows no more, what is seen is told: how long a column is, or what lies between two points.
  tellStep(lane) {
    if (!lane.step) return;
    const [start, end] = this.window;
    const isAnswered = !this.data.canDetail || this.isDetailed();
    const isCurve = lane.kind === "curves";
    const seconds = isCurve ? this.curvesOf(lane)[0]?.step : this.finest(lane, (start + end) / 2).secondsPerColumn;
    const pixels = (seconds / (end - start)) * this.slider.clientWidth;
    const isTold = isAnswered && pixels > STEP_PIXELS;
    lane.step.textContent = isTold ? ` ${isCurve ? "A point every" : "A column is"} ${shortTime(seconds)}.` : "";
  },

  // Finer cells over the whole picture; what is not among them stays as it is.
  drawDetail(context, detail, width, height) {
    if (!detail?.image) return;
    const { start, columns, secondsPerColumn } = detail;
    const left = this.x(start, width);
    const right = this.x(start + columns * secondsPerColumn, width);
    context.imageSmoothingEnabled = (right - left) / columns < 4;
    context.drawImage(detail.image, left, 0, right - left, height);
  },

  // The curve that is fine enough where it reaches, else that of the whole.
  curvesOf({ picture, detail }) {
    const curves = detail?.curves;
    if (!curves?.length) return picture.curves ?? [];
    return this.isDetailed() ? curves : picture.curves ?? [];
  },
};
