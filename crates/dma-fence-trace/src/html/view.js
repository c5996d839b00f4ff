// What part of the trace is on the screen. Changes ask for one frame, however many there are.

const AXIS = 40;
const GUTTER = 232;
const SHORTEST = 100;

const chart = $("chart");
const scroller = $("scroller");
const whole = { from: Math.min(data.begin, 0), to: Math.max(data.end, data.begin + 1) };
const view = { from: 0, to: 1, width: 1, height: 1, selected: null, hovered: null };

const plotWidth = () => Math.max(1, view.width - GUTTER);
const perPixel = () => (view.to - view.from) / plotWidth();
const pixelOf = (time) => GUTTER + (time - view.from) / perPixel();
const timeAt = (x) => view.from + (x - GUTTER) * perPixel();
const screenTop = (fence) => AXIS + laneTop(fence) - scroller.scrollTop;

let frameAsked = false;
function redraw() {
  if (frameAsked) return;
  frameAsked = true;
  requestAnimationFrame(() => {
    frameAsked = false;
    draw();
  });
}

// Keeps some of the trace in sight, and the span within what numbers and eyes can tell apart.
function show(from, to) {
  const longest = (whole.to - whole.from) * 1.5;
  const span = Math.min(Math.max(to - from, SHORTEST), longest);
  const middle = Math.min(Math.max((from + to) / 2, whole.from), whole.to);
  view.from = middle - span / 2;
  view.to = middle + span / 2;
  redraw();
}

function fit() {
  const margin = (whole.to - whole.from) * 0.02;
  show(whole.from - margin, whole.to + margin);
}

function zoom(factor, x = GUTTER + plotWidth() / 2) {
  const time = timeAt(Math.max(x, GUTTER));
  const span = Math.max((view.to - view.from) * factor, SHORTEST);
  const share = (time - view.from) / (view.to - view.from);
  show(time - span * share, time + span * (1 - share));
}

function pan(pixels) {
  const by = pixels * perPixel();
  show(view.from + by, view.to + by);
}

// Brings a fence to the middle, at a zoom where it can be seen as a bar.
function center(fence) {
  const long = stops[fence] - starts[fence];
  let span = view.to - view.from;
  if (long > span * 0.9 || long < span * 0.02) span = Math.max(long * (long > span ? 1.5 : 8), SHORTEST);
  const middle = (starts[fence] + stops[fence]) / 2;
  show(middle - span / 2, middle + span / 2);
  const top = screenTop(fence);
  if (top < AXIS || top + LANE > view.height) scroller.scrollTop = laneTop(fence) - (view.height - AXIS) / 2;
}

function resize() {
  const scale = window.devicePixelRatio || 1;
  view.width = scroller.clientWidth;
  view.height = scroller.clientHeight;
  $("spacer").style.height = `${layout.height + AXIS + 24}px`;
  chart.style.width = `${view.width}px`;
  chart.style.height = `${view.height}px`;
  chart.width = Math.round(view.width * scale);
  chart.height = Math.round(view.height * scale);
  redraw();
}

// The row at a height of the chart; there may be none.
function rowAt(y) {
  if (y < AXIS) return -1;
  return firstAbove(layout.top, y - AXIS + scroller.scrollTop, 0, layout.shown.length + 1) - 1;
}

// The fence under a point of the chart; where many share a pixel, the most urgent of them, and how many.
function hit(x, y) {
  const row = rowAt(y);
  const track = layout.shown[row];
  if (x < GUTTER || track === undefined) return null;
  const down = y - AXIS + scroller.scrollTop;
  const inTrack = Math.floor((down - layout.top[row] - MARGIN) / LANE);
  if (inTrack < 0 || inTrack >= layout.lanesOf[track]) return null;
  const lane = layout.firstLane[track] + inTrack;
  const [first, end] = [layout.begin[lane], layout.begin[lane + 1]];
  const from = firstAbove(layout.reach, timeAt(x - 3), first, end);
  const to = firstAbove(layout.start, timeAt(x + 2), from, end);
  let fence = null, count = 0;
  for (let i = from; i < to; i++) {
    if (layout.stop[i] < timeAt(x - 3)) continue;
    count++;
    if (fence === null || layout.order[i] < fence) fence = layout.order[i];
  }
  return fence === null ? null : { fence, count };
}
