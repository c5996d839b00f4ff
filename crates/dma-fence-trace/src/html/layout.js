// Where fences are: each track has lanes, in a lane no two fences overlap. All lanes are one sorted array,
// so that whatever is in a span of time is found by bisection.

const LANES = 8;
const LANE = 20;
const MARGIN = 6;
const TRACK_MIN = 48;

// First place in [from, to) whose value is above `limit`; the values ascend.
function firstAbove(values, limit, from, to) {
  while (from < to) {
    const middle = (from + to) >>> 1;
    if (values[middle] > limit) to = middle;
    else from = middle + 1;
  }
  return from;
}

// How many of the places before each one satisfy a condition: a range is asked with one subtraction.
function countBefore(length, holds) {
  const before = new Uint32Array(length + 1);
  for (let i = 0; i < length; i++) before[i + 1] = before[i] + (holds(i) ? 1 : 0);
  return before;
}

// Stacks fences that overlap. What does not fit into LANES shares one more, the crowd.
function assignLanes() {
  const byStart = Uint32Array.from({ length: fenceCount }, (_, fence) => fence);
  byStart.sort((a, b) => starts[a] - starts[b] || a - b);
  const busyUntil = tracks.map(() => []);
  const laneOf = new Uint8Array(fenceCount);
  for (const fence of byStart) {
    const until = busyUntil[facts.track[fence]];
    let lane = until.findIndex((end) => end <= starts[fence]);
    if (lane < 0) lane = Math.min(until.length, LANES);
    if (lane < LANES) until[lane] = stops[fence];
    else until[LANES] = Infinity;
    laneOf[fence] = lane;
  }
  return { byStart, laneOf, lanesOf: busyUntil.map((until) => Math.max(1, until.length)) };
}

function makeLayout() {
  const { byStart, laneOf, lanesOf } = assignLanes();
  const firstLane = new Uint32Array(tracks.length + 1);
  tracks.forEach((_, track) => { firstLane[track + 1] = firstLane[track] + lanesOf[track]; });
  const laneCount = firstLane[tracks.length];
  const laneIndex = (fence) => firstLane[facts.track[fence]] + laneOf[fence];

  const begin = new Uint32Array(laneCount + 1);
  for (let fence = 0; fence < fenceCount; fence++) begin[laneIndex(fence) + 1]++;
  for (let lane = 0; lane < laneCount; lane++) begin[lane + 1] += begin[lane];
  const fill = begin.slice();
  const order = new Uint32Array(fenceCount);
  const placeOf = new Uint32Array(fenceCount);
  for (const fence of byStart) {
    const place = fill[laneIndex(fence)]++;
    order[place] = fence;
    placeOf[fence] = place;
  }

  const start = Float64Array.from(order, (fence) => starts[fence]);
  const stop = Float64Array.from(order, (fence) => stops[fence]);
  // The latest end up to each place of a lane: ascends, also in the crowd.
  const reach = new Float64Array(fenceCount);
  for (let lane = 0; lane < laneCount; lane++) {
    let latest = -Infinity;
    for (let i = begin[lane]; i < begin[lane + 1]; i++) reach[i] = latest = Math.max(latest, stop[i]);
  }

  const [stuckIn, lateIn, fencesIn] = [0, 0, 0].map(() => new Uint32Array(tracks.length));
  for (let fence = 0; fence < fenceCount; fence++) {
    fencesIn[facts.track[fence]]++;
    if (tones[fence] === STUCK_TONE) stuckIn[facts.track[fence]]++;
    if (tones[fence] === LATE_TONE) lateIn[facts.track[fence]]++;
  }
  // Tracks with something stuck come first, then late ones, then the busiest, as the report has them.
  const urgency = (track) => (stuckIn[track] ? 2 : lateIn[track] ? 1 : 0);
  const shown = tracks.map((_, track) => track).filter((track) => fencesIn[track]);
  shown.sort((a, b) => urgency(b) - urgency(a) || a - b);
  const top = new Float64Array(shown.length + 1);
  const rowOf = new Uint32Array(tracks.length);
  shown.forEach((track, row) => {
    rowOf[track] = row;
    top[row + 1] = top[row] + Math.max(TRACK_MIN, lanesOf[track] * LANE + 2 * MARGIN);
  });

  return {
    order, placeOf, begin, start, stop, reach, laneIndex, laneOf, lanesOf, firstLane,
    stuckBefore: countBefore(fenceCount, (i) => tones[order[i]] === STUCK_TONE),
    lateBefore: countBefore(fenceCount, (i) => tones[order[i]] === LATE_TONE),
    shown, top, rowOf, height: top[shown.length], urgency, fencesIn,
  };
}

const layout = makeLayout();

// From the top of all tracks to the top of a fence's lane.
function laneTop(fence) {
  const track = facts.track[fence];
  const top = layout.top[layout.rowOf[track]];
  return top + MARGIN + layout.laneOf[fence] * LANE;
}
