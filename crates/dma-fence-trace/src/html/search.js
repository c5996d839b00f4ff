// Search: every word of the query must match a fence's number, names, verdict or one of its threads.

const found = { fences: [], at: -1 };
// For the chart: how many matches are before each place of the layout. Null while nothing is searched.
let matchedBefore = null;

const lowerNames = names.map((name) => name.toLowerCase());
const tasksOf = Array.from({ length: fenceCount }, () => null);
for (const row of [...waits, ...asks]) (tasksOf[row.fence] ??= []).push(row.task);

// A function that tells whether a fence matches the word.
function matcher(word) {
  const id = /^(\d+):(\d*)$/.exec(word);
  if (id) {
    const [context, seqno] = [Number(id[1]), id[2]];
    return (fence) => facts.context[fence] === context && (seqno === "" || facts.seqno[fence] === Number(seqno));
  }
  const number = /^\d+$/.test(word) ? Number(word) : null;
  const inName = lowerNames.map((name) => name.includes(word));
  const inTask = data.tasks.map(([name, pid]) => inName[name] || (number !== null && pid === number));
  const inVerdict = data.verdicts.map((name) => name.startsWith(word) || VERDICT_WORDS[name].startsWith(word));
  const inTone = TONES.map((tone) => tone === word && word !== "ok");
  const isTask = (task) => task !== null && inTask[task];
  return (fence) =>
    inName[facts.driver[fence]] || inName[facts.timeline[fence]] ||
    inVerdict[facts.verdict[fence]] || inTone[tones[fence]] ||
    isTask(facts.made_by[fence]) || isTask(facts.signaled_by[fence]) || (tasksOf[fence]?.some(isTask) ?? false) ||
    (number !== null && (facts.context[fence] === number || facts.seqno[fence] === number));
}

function search(query) {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  found.at = -1;
  found.fences = [];
  matchedBefore = null;
  if (words.length) {
    const matchers = words.map(matcher);
    const matches = new Uint8Array(fenceCount);
    for (let fence = 0; fence < fenceCount; fence++) {
      if (!matchers.every((matches) => matches(fence))) continue;
      matches[fence] = 1;
      found.fences.push(fence);
    }
    matchedBefore = countBefore(fenceCount, (i) => matches[layout.order[i]] === 1);
  }
  sayFound();
  redraw();
}

function sayFound() {
  const { fences, at } = found;
  const asked = $("query").value.trim() !== "";
  const count = `${grouped(fences.length)} ${fences.length === 1 ? "match" : "matches"}`;
  const text = at < 0 ? count : `${grouped(at + 1)} of ${grouped(fences.length)}`;
  $("found").textContent = asked ? text : "";
  $("found").classList.toggle("none", asked && !fences.length);
}

// The next match, or the previous one, round and round.
function nextFound(step) {
  const { fences } = found;
  if (!fences.length) return;
  found.at = found.at < 0 ? (step > 0 ? 0 : fences.length - 1) : (found.at + step + fences.length) % fences.length;
  select(fences[found.at]);
  center(fences[found.at]);
  sayFound();
}
