// What the trace says: columns of facts, a fence is an index into them. The most urgent fence is 0.

const data = JSON.parse($("data").textContent);
const facts = data.fences;
const fenceCount = facts.context.length;

const NEVER = 0, LOST = 1, PENDING = 2, LATE = 3, UNOBSERVED = 4;
// How a fence looks, the most urgent last.
const TONES = ["ok", "quiet", "pending", "late", "stuck"];
const QUIET_TONE = 1, PENDING_TONE = 2, LATE_TONE = 3, STUCK_TONE = 4;

// Rows that begin with a fence's index and are sorted by it, as a function from fence to its rows.
function rowsByFence(rows, fenceOf) {
  const ranges = new Map();
  rows.forEach((row, i) => {
    const range = ranges.get(fenceOf(row));
    if (range) range[1] = i + 1;
    else ranges.set(fenceOf(row), [i, i + 1]);
  });
  return (fence) => {
    const range = ranges.get(fence);
    return range ? rows.slice(range[0], range[1]) : [];
  };
}

const names = data.names.map(literal);
const tasks = data.tasks.map(([name, pid]) => ({ name: names[name], pid }));
const tracks = data.tracks;

const waits = data.waits.map(([fence, task, since, waited, open]) => ({ fence, task, since, waited, open }));
const asks = data.asks.map(([fence, task, at]) => ({ fence, task, at }));
const blames = data.blames.map(([fence, on, context, seqno, because]) =>
  ({ fence, on, id: `${context}:${seqno}`, because }));
const waitsOf = rowsByFence(waits, (row) => row.fence);
const asksOf = rowsByFence(asks, (row) => row.fence);
const blamesOf = rowsByFence(blames, (row) => row.fence);
const jobOf = rowsByFence(data.jobs, (row) => row.fence);
// The other way round: who is held up by a fence.
const blamersOf = rowsByFence(
  blames.filter((row) => row.on !== null).sort((a, b) => a.on - b.on || a.fence - b.fence),
  (row) => row.on,
);

const starts = Float64Array.from(facts.start);
const stops = Float64Array.from(facts.start, (start, fence) =>
  Math.max(start, facts.signaled[fence] ?? facts.destroyed[fence] ?? data.end));

const tones = new Uint8Array(fenceCount);
const waitedFor = new Set(waits.filter((row) => row.open).map((row) => row.fence));
for (let fence = 0; fence < fenceCount; fence++) {
  const verdict = facts.verdict[fence];
  if (verdict === NEVER || verdict === LOST) tones[fence] = STUCK_TONE;
  else if (verdict === PENDING) tones[fence] = waitedFor.has(fence) ? STUCK_TONE : PENDING_TONE;
  else if (verdict === LATE) tones[fence] = LATE_TONE;
  else if (verdict === UNOBSERVED) tones[fence] = QUIET_TONE;
}

// What somebody should look at, most urgent first.
const problems = [];
for (let fence = 0; fence < fenceCount; fence++) {
  if (tones[fence] >= LATE_TONE) problems.push(fence);
}

const idOf = (fence) => `${facts.context[fence]}:${facts.seqno[fence]}`;
const isRoot = (fence) => (facts.flags[fence] & 1) !== 0;
const isCertain = (fence) => (facts.flags[fence] & 2) !== 0;
const isOutlier = (fence) => (facts.flags[fence] & 4) !== 0;
const isPending = (fence) => facts.signaled[fence] === null && facts.destroyed[fence] === null;
const toneOf = (fence) => TONES[tones[fence]];

const VERDICT_WORDS = {
  never: "never signaled",
  lost: "lost",
  "pending-at-end": "pending at end",
  late: "late",
  unobserved: "unobserved",
  ok: "in time",
};
const verdictOf = (fence) => VERDICT_WORDS[data.verdicts[facts.verdict[fence]]];

// `driver / timeline`; either may be empty.
function ownerOf(fence) {
  return [names[facts.driver[fence]], names[facts.timeline[fence]]].filter(Boolean).join(" / ");
}

function taskName(task) {
  const { name, pid } = tasks[task];
  return pid === null ? name : `${name} (pid ${pid})`;
}

// On the trace's own clock, as its lines say it.
function clock(time) {
  const ns = BigInt(data.origin) + BigInt(Math.round(time));
  return `${ns / 1000000000n}.${String(ns % 1000000000n).padStart(9, "0").slice(0, 6)} s`;
}
