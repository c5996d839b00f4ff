// The chart. Only rows on the screen are drawn, and in them at most one thing for each few pixels: a bar,
// or a column for all the fences that are too short to be told apart.

const NARROW = 5;
const COLUMN = 4;
const ARROW_ROOM = 18;
const MONO = "ui-monospace, 'SF Mono', 'Cascadia Mono', 'DejaVu Sans Mono', Menlo, monospace";
const FONT = `11px ${MONO}`;
const SANS = "system-ui, 'Segoe UI', Roboto, 'Noto Sans', sans-serif";

const pen = chart.getContext("2d", { alpha: false });
const HUES = 6;
const COLOURS = [
  "page", "raised", "sunken", "line", "grid", "ink", "faint", "wait", "match", "arrow", "outside",
  "stuck", "stuck-ink", "late", "late-ink", "pending", "pending-ink", "quiet", "quiet-ink",
  "ok-0", "ok-1", "ok-2", "ok-3", "ok-4", "ok-5", "ok-ink",
];
let colour = {};
let charWidth = 6.6;

function readTheme() {
  const style = getComputedStyle(document.documentElement);
  colour = Object.fromEntries(COLOURS.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
  pen.font = FONT;
  charWidth = pen.measureText("0".repeat(64)).width / 64;
  redraw();
}

// Fences that are in time have their driver's colour.
const hueOfName = new Map();
function hueOf(track) {
  const driver = tracks[track].driver;
  if (!hueOfName.has(driver)) hueOfName.set(driver, hueOfName.size % HUES);
  return `ok-${hueOfName.get(driver)}`;
}

const fillOf = (tone, track) => colour[tone === 0 ? hueOf(track) : TONES[tone]];

// As much of a text as fits into so many pixels, in the font of fixed width.
function fitting(text, pixels) {
  const room = Math.floor(pixels / charWidth);
  if (text.length <= room) return text;
  return room < 3 ? "" : `${text.slice(0, room - 1)}…`;
}

function draw() {
  if (view.width < 2) return;
  const scale = window.devicePixelRatio || 1;
  pen.setTransform(scale, 0, 0, scale, 0, 0);
  pen.fillStyle = colour.page;
  pen.fillRect(0, 0, view.width, view.height);
  pen.textBaseline = "middle";
  const up = scroller.scrollTop - AXIS;
  const first = Math.max(0, firstAbove(layout.top, scroller.scrollTop, 0, layout.shown.length + 1) - 1);

  clipped(GUTTER, AXIS, view.width, view.height, () => {
    drawGrid();
    pen.font = FONT;
    for (let row = first; row < layout.shown.length && layout.top[row] - up < view.height; row++) {
      drawTrack(layout.shown[row], layout.top[row] - up, layout.top[row + 1] - layout.top[row]);
    }
    drawArrows();
    drawMarked();
  });
  clipped(0, AXIS, GUTTER, view.height, () => {
    pen.fillStyle = colour.raised;
    pen.fillRect(0, AXIS, GUTTER, view.height);
    pen.fillStyle = colour.line;
    pen.fillRect(GUTTER - 1, AXIS, 1, view.height);
    for (let row = first; row < layout.shown.length && layout.top[row] - up < view.height; row++) {
      drawLabel(layout.shown[row], layout.top[row] - up, layout.top[row + 1] - layout.top[row]);
    }
  });
  drawAxis();
}

function clipped(left, top, right, bottom, body) {
  pen.save();
  pen.beginPath();
  pen.rect(left, top, right - left, bottom - top);
  pen.clip();
  body();
  pen.restore();
}

function drawTrack(track, top, height) {
  pen.fillStyle = colour.line;
  pen.fillRect(GUTTER, top + height - 1, plotWidth(), 1);
  for (let k = 0; k < layout.lanesOf[track]; k++) {
    const y = top + MARGIN + k * LANE;
    if (y + LANE > AXIS && y < view.height) drawLane(track, layout.firstLane[track] + k, y + 1, LANE - 3, k === LANES);
  }
}

function drawLane(track, lane, y, height, crowd) {
  const end = layout.begin[lane + 1];
  let i = firstAbove(layout.reach, timeAt(GUTTER - COLUMN), layout.begin[lane], end);
  while (i < end && layout.start[i] < view.to) {
    const x = pixelOf(layout.start[i]);
    const right = pixelOf(layout.stop[i]);
    if (!crowd && right - x >= NARROW) {
      drawBar(track, i, x, right, y, height);
      i++;
      continue;
    }
    // All that start in this column, but for a last one that is long enough to be a bar.
    const left = Math.max(GUTTER, Math.floor(x / COLUMN) * COLUMN);
    let next = Math.max(i + 1, firstAbove(layout.start, timeAt(left + COLUMN), i, end));
    if (!crowd && next - i > 1 && pixelOf(layout.stop[next - 1]) - pixelOf(layout.start[next - 1]) >= NARROW) next--;
    drawColumn(track, i, next, left, crowd ? pixelOf(layout.reach[next - 1]) : 0, y, height);
    i = next;
  }
}

// Whatever is urgent is seen, even if it is one of thousands.
function drawColumn(track, from, to, left, reach, y, height) {
  const tone = layout.stuckBefore[to] > layout.stuckBefore[from] ? STUCK_TONE
    : layout.lateBefore[to] > layout.lateBefore[from] ? LATE_TONE
    : to - from === 1 ? tones[layout.order[from]] : 0;
  const count = to - from;
  pen.globalAlpha = tone >= LATE_TONE || count > 8 ? 1 : count > 2 ? 0.85 : 0.7;
  pen.fillStyle = fillOf(tone, track);
  const width = Math.max(COLUMN - 1, Math.min(reach, view.width) - left);
  pen.fillRect(left, y, width, height);
  pen.globalAlpha = 1;
  if (matchedBefore && matchedBefore[to] > matchedBefore[from]) {
    pen.fillStyle = colour.match;
    pen.fillRect(left, y + height - 4, COLUMN - 1, 4);
  }
}

function drawBar(track, place, x, right, y, height) {
  const fence = layout.order[place];
  const tone = tones[fence];
  const left = Math.max(x, GUTTER - 2);
  const width = Math.min(right, view.width + 2) - left;
  pen.fillStyle = fillOf(tone, track);
  pen.fillRect(left, y, width - 1, height);
  if (isPending(fence)) drawOpenEnd(right, y, height);
  if (width >= 24) drawWaits(fence, y, height);
  // An arrow may begin here.
  const indent = blamesOf(fence).length ? ARROW_ROOM : 5;
  const room = width - indent - 7;
  if (room > 3 * charWidth) {
    pen.fillStyle = colour[`${TONES[tone]}-ink`];
    pen.fillText(fitting(barText(fence), room), Math.max(left, GUTTER) + indent, y + height / 2 + 0.5);
  }
  if (matchedBefore && matchedBefore[place + 1] > matchedBefore[place]) {
    pen.strokeStyle = colour.match;
    pen.lineWidth = 2;
    pen.strokeRect(left + 1, y + 1, width - 3, height - 2);
  }
}

function barText(fence) {
  const verdict = tones[fence] >= PENDING_TONE ? `  ${verdictOf(fence)}` : "";
  const waiting = waitsOf(fence);
  const who = waiting.find((wait) => wait.open) ?? waiting[0];
  const more = waiting.length > 1 ? ` +${waiting.length - 1}` : "";
  return `${idOf(fence)}${verdict}  ${duration(facts.age[fence])}${who ? `  ◂ ${taskName(who.task)}${more}` : ""}`;
}

// Pending: nobody knows where it ends, so it has no straight edge.
function drawOpenEnd(right, y, height) {
  pen.fillStyle = colour.page;
  for (let tooth = 0; tooth < 3; tooth++) {
    const top = y + (tooth * height) / 3;
    pen.beginPath();
    pen.moveTo(right, top);
    pen.lineTo(right - 4, top + height / 6);
    pen.lineTo(right, top + height / 3);
    pen.fill();
  }
}

// Under the bar: from the moment a thread began to wait; an arrow if it still does.
function drawWaits(fence, y, height) {
  pen.fillStyle = colour.wait;
  for (const wait of waitsOf(fence).slice(0, 50)) {
    const x = Math.max(pixelOf(wait.since), GUTTER - 8);
    const right = Math.min(pixelOf(wait.since + wait.waited), view.width + 8);
    if (right < GUTTER || x > view.width) continue;
    const line = y + height - 1;
    pen.fillRect(x, line, Math.max(1, right - x), 2);
    pen.beginPath();
    pen.moveTo(x - 4, line + 3);
    pen.lineTo(x + 4, line + 3);
    pen.lineTo(x, line - 5);
    pen.fill();
    if (wait.open) {
      pen.beginPath();
      pen.moveTo(right - 7, line - 3);
      pen.lineTo(right, line + 1);
      pen.lineTo(right - 7, line + 5);
      pen.fill();
    }
  }
}

// The fence under the mouse and the selected one, above everything.
function drawMarked() {
  for (const [fence, ink, line] of [[view.hovered, colour.ink, 1], [view.selected, colour.ink, 2]]) {
    if (fence === null) continue;
    const y = screenTop(fence) + 1;
    const x = Math.max(pixelOf(starts[fence]), GUTTER - 4);
    const right = Math.min(Math.max(pixelOf(stops[fence]), x + COLUMN), view.width + 4);
    if (right < GUTTER || x > view.width) continue;
    pen.lineWidth = line;
    pen.strokeStyle = ink;
    pen.strokeRect(x - line / 2, y - line / 2, right - x + line - 1, LANE - 3 + line);
  }
}

function drawLabel(track, top, height) {
  const { driver, timeline, context } = tracks[track];
  const urgency = layout.urgency(track);
  pen.fillStyle = colour.line;
  pen.fillRect(0, top + height - 1, GUTTER, 1);
  pen.fillStyle = urgency === 2 ? colour.stuck : urgency === 1 ? colour.late : colour[hueOf(track)];
  pen.fillRect(0, top, 4, height - 1);
  pen.font = `600 12px ${SANS}`;
  pen.fillStyle = colour.ink;
  shortened(names[timeline] || "(no name)", 14, top + 15, GUTTER - 24);
  pen.font = `11px ${SANS}`;
  pen.fillStyle = colour.faint;
  const parts = [names[driver], context === null ? "" : `context ${context}`, plural(layout.fencesIn[track], "fence")];
  shortened(parts.filter(Boolean).join(" · "), 14, top + 31, GUTTER - 24);
}

// The beginning of a text in a font of any width.
function shortened(text, x, y, room) {
  let shown = text.slice(0, 80);
  while (shown.length > 1 && pen.measureText(shown).width > room) {
    shown = `${shown.slice(0, Math.max(1, shown.length - 4))}…`;
  }
  pen.fillText(shown, x, y);
}
