// Time: the grid, its labels, and the strip that shows how much of the trace is on the screen.

const STRIP = 8;

// 1, 2 or 5 times a power of ten, at least 90 pixels wide.
function tickStep() {
  const least = perPixel() * 90;
  const power = 10 ** Math.floor(Math.log10(least));
  return power * [1, 2, 5, 10].find((factor) => factor * power >= least);
}

function* ticks() {
  const step = tickStep();
  for (let n = Math.ceil((view.from - data.begin) / step); data.begin + n * step <= view.to; n++) {
    yield { x: Math.round(pixelOf(data.begin + n * step)), offset: n * step };
  }
}

// Since the trace began, with as many digits as the step has.
function tickText(offset) {
  const step = tickStep();
  const [unit, per] = step >= 1e8 ? ["s", 1e9] : step >= 1e5 ? ["ms", 1e6] : step >= 1e2 ? ["µs", 1e3] : ["ns", 1];
  const digits = Math.max(0, Math.ceil(Math.log10(per / step)));
  return `${(offset / per).toFixed(digits)} ${unit}`;
}

function drawGrid() {
  const [begin, end] = [pixelOf(data.begin), pixelOf(data.end)];
  pen.fillStyle = colour.grid;
  for (const { x } of ticks()) pen.fillRect(x, AXIS, 1, view.height);
  // Nothing is known before the trace began, and after it ended.
  pen.fillStyle = colour.outside;
  if (begin > GUTTER) pen.fillRect(GUTTER, AXIS, begin - GUTTER, view.height);
  if (end < view.width) pen.fillRect(Math.max(end, GUTTER), AXIS, view.width, view.height);
}

function drawAxis() {
  pen.fillStyle = colour.raised;
  pen.fillRect(0, 0, view.width, AXIS);
  pen.fillStyle = colour.line;
  pen.fillRect(0, AXIS - 1, view.width, 1);
  pen.fillRect(GUTTER - 1, 0, 1, AXIS);
  pen.font = `11px ${SANS}`;
  pen.fillStyle = colour.faint;
  pen.fillText(`${plural(layout.shown.length, "timeline")}, ${duration(view.to - view.from)} shown`, 14, AXIS / 2 + 4);
  clipped(GUTTER, 0, view.width, AXIS, () => {
    drawStrip();
    for (const { x, offset } of ticks()) {
      pen.fillStyle = colour.line;
      pen.fillRect(x, AXIS - 7, 1, 7);
      const text = tickText(offset);
      // Half of a number is another number.
      if (x + 5 + pen.measureText(text).width > view.width) continue;
      pen.fillStyle = colour.faint;
      pen.fillText(text, x + 5, AXIS - 13);
    }
  });
}

function drawStrip() {
  const scale = plotWidth() / (whole.to - whole.from);
  const at = (time) => GUTTER + (time - whole.from) * scale;
  pen.fillStyle = colour.sunken;
  pen.fillRect(GUTTER, 0, plotWidth(), STRIP);
  const left = Math.max(at(view.from), GUTTER);
  pen.fillStyle = colour.arrow;
  pen.fillRect(left, 0, Math.max(3, Math.min(at(view.to), view.width) - left), STRIP);
  // Where problems begin, a mark for each pixel at most.
  const marked = new Set();
  for (const fence of problems.slice(0, 2000)) {
    const x = Math.round(at(starts[fence]));
    if (marked.has(x)) continue;
    marked.add(x);
    pen.fillStyle = colour[TONES[tones[fence]]];
    pen.fillRect(x, 0, 2, STRIP);
  }
}
