// Who waits for which fence: arrows from a fence to the one that it is blamed on.

const MOST_ARROWS = 120;
const MOST_TRIED = 3000;
const CHAIN = 64;

// The rows of `blames` from a fence down to its roots.
function chainOf(fence) {
  const rows = [], seen = new Set([fence]), todo = [fence];
  while (todo.length && rows.length < CHAIN) {
    for (const row of blamesOf(todo.shift())) {
      rows.push(row);
      if (row.on === null || seen.has(row.on)) continue;
      seen.add(row.on);
      todo.push(row.on);
    }
  }
  return rows;
}

function drawArrows() {
  const chosen = view.selected === null ? [] : chainOf(view.selected);
  const strong = new Set(chosen);
  pen.lineWidth = 1.25;
  let drawn = 0;
  for (let i = 0; i < blames.length && i < MOST_TRIED && drawn < MOST_ARROWS; i++) {
    const row = blames[i];
    if (strong.has(row) || tones[row.fence] < PENDING_TONE || !isRowShown(row.fence) || !isRowShown(row.on)) continue;
    if (drawArrow(row, colour.arrow)) drawn++;
  }
  pen.lineWidth = 2;
  for (const row of chosen) drawArrow(row, colour.ink);
}

// Arrows that come from nowhere tell nothing; only those of the selected fence may.
function isRowShown(fence) {
  if (fence === null) return false;
  const top = screenTop(fence);
  return top > AXIS - LANE && top < view.height;
}

// False if nothing of it would be seen.
function drawArrow({ fence, on }, ink) {
  if (on === null || on === fence) return false;
  const [fromTop, toTop] = [screenTop(fence), screenTop(on)];
  if (Math.max(fromTop, toTop) + LANE < AXIS || Math.min(fromTop, toTop) > view.height) return false;
  // Where both are there; else the end of the other one.
  const time = Math.max(starts[fence], starts[on]);
  let [x, end] = [pixelOf(time), pixelOf(Math.min(time, stops[on]))];
  if (Math.max(x, end) < GUTTER) {
    if (Math.min(pixelOf(stops[fence]), pixelOf(stops[on])) < GUTTER) return false;
    x = end = GUTTER + 14;
  }
  if (Math.min(x, end) > view.width || x - end > view.width * 4) return false;
  const down = toTop > fromTop;
  const y = fromTop + LANE / 2 - 1;
  const tip = toTop === fromTop ? y : down ? toTop : toTop + LANE - 2;
  // Upright lines are sharp in the middle of a pixel.
  x = Math.round(x + 9) + 0.5;
  end = Math.round(toTop === fromTop ? end : end + 9) + 0.5;
  const bend = Math.min(Math.abs(tip - y) / 2, 60) * (down ? 1 : -1);
  pen.strokeStyle = pen.fillStyle = ink;
  pen.beginPath();
  pen.moveTo(x, y);
  if (toTop === fromTop) pen.lineTo(end, tip);
  else pen.bezierCurveTo(x, y + bend, end, tip - bend, end, tip - (down ? 5 : -5));
  pen.stroke();
  pen.beginPath();
  pen.arc(x, y, 3, 0, 7);
  pen.fill();
  pen.beginPath();
  if (toTop === fromTop) {
    const back = end < x ? 7 : -7;
    pen.moveTo(end, tip);
    pen.lineTo(end + back, tip - 4);
    pen.lineTo(end + back, tip + 4);
  } else {
    const back = down ? -8 : 8;
    pen.moveTo(end, tip);
    pen.lineTo(end - 4.5, tip + back);
    pen.lineTo(end + 4.5, tip + back);
  }
  pen.fill();
  return true;
}
