// Zoom shows more, not larger: what is on the screen is asked for at the detail of the screen, once the zoom rests.

const REST_MS = 200;
// A column wider than this is a brick.
const BRICK_PIXELS = 1.6;

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
    const { start, step, values } = curves[0];
    const isCovered = start - step <= this.window[0] + 0.01 && start + values.length * step >= this.window[1] - 0.01;
    return isCovered ? curves : picture.curves ?? [];
  },
};
