// The side panel: the selected fence, its chain of blame, and the problems as a list.

const LISTED = 200;
const ROWS = 12;

const BECAUSE = {
  dependency: "the scheduler says that it waits for",
  display: "inferred: the display's worker waits for",
  member: "inferred: it contains, or ends with",
  queue: "inferred: in the same queue, it is behind",
  hardware: "inferred: its job runs as",
};

function tag(fence) {
  return element("span", { className: `tag ${toneOf(fence)}` }, verdictOf(fence));
}

// A button that goes to a fence; text if the report does not have it.
function link(fence, id) {
  if (fence === null) return element("span", { className: "here" }, id);
  const button = element("button", { type: "button", className: "link" }, idOf(fence));
  button.onclick = () => {
    select(fence);
    center(fence);
  };
  return button;
}

function select(fence) {
  view.selected = fence;
  const panel = $("selected");
  panel.hidden = fence === null;
  panel.replaceChildren(...(fence === null ? [] : describe(fence)));
  panel.scrollTop = 0;
  markProblem(fence);
  $("say").textContent = fence === null ? "Nothing selected" : `${idOf(fence)}, ${ownerOf(fence)}. ${plainWords(fence)}`;
  redraw();
}

function describe(fence) {
  const close = element("button", { type: "button", className: "close", ariaLabel: "Close", title: "Close ( Esc )" }, "×");
  close.onclick = () => select(null);
  const parts = [
    element("div", { className: "top" }, element("span", { className: "id" }, idOf(fence)), tag(fence), close),
    element("p", { className: "name" }, ownerOf(fence)),
    element("p", { className: "plain" }, plainWords(fence)),
  ];
  const blame = chainList(fence, new Set([fence]));
  if (blame) parts.push(element("div", { id: "chain" }, element("h3", {}, "Why: what it waits for"), blame));
  parts.push(...people(fence));
  const behind = blamersOf(fence);
  if (behind.length) {
    const links = behind.slice(0, ROWS).flatMap((row) => [link(row.fence), ` ${ownerOf(row.fence)}\n`]);
    if (behind.length > ROWS) links.push(`and ${grouped(behind.length - ROWS)} more`);
    parts.push(element("h3", {}, "Behind it"), element("p", { className: "name" }, ...links));
  }
  parts.push(element("h3", {}, "Facts"), factList(fence));
  return parts;
}

function plainWords(fence) {
  const age = duration(facts.age[fence]);
  const open = waitsOf(fence).filter((wait) => wait.open).length;
  const waiting = open ? `, and ${open === 1 ? "a thread waits" : `${open} threads wait`} for it` : "";
  const late = facts.late[fence];
  const excess = late === null ? "" : `, ${duration(late)} longer than it may`;
  const said = {
    never: `Pending for ${age} when the trace ended${waiting}.`,
    lost: `Its producer went away without signaling it${waiting}.`,
    "pending-at-end": `Pending for ${age} when the trace ended: not for long${waiting}.`,
    late: `It took ${age}${excess}.`,
    unobserved: "A container that nobody waited for: it was destroyed unsignaled, which is normal.",
    ok: `Signaled after ${age}.`,
  }[data.verdicts[facts.verdict[fence]]];
  const here = isRoot(fence) ? " The cause is here, as far as the trace tells." : " The cause is another fence.";
  const cause = tones[fence] < LATE_TONE ? "" : here;
  const outlier = isOutlier(fence) ? " It is unusual for its timeline only." : "";
  return `${said}${cause}${outlier}${isCertain(fence) ? "" : " Not certain: events are missing."}`;
}

// Nested: fence, because, fence, … down to the roots. A fence that was there before ends it.
function chainList(fence, seen) {
  const rows = blamesOf(fence);
  if (!rows.length || seen.size > CHAIN) return null;
  const items = rows.slice(0, ROWS).map(({ on, id, because }) => {
    const item = element("li", {}, element("span", { className: "why" }, `${BECAUSE[because]} `), link(on, id));
    if (on === null) {
      item.append(" (not in the trace)");
      return item;
    }
    item.append(" ", tag(on), element("div", { className: "where" }, ownerOf(on)));
    if (seen.has(on)) return item;
    seen.add(on);
    const deeper = chainList(on, seen);
    if (deeper) item.append(deeper);
    else if (isRoot(on)) item.append(element("div", { className: "why" }, "the root: it waits for no other fence"));
    return item;
  });
  if (rows.length > ROWS) items.push(element("li", { className: "why" }, `and ${grouped(rows.length - ROWS)} more`));
  return element("ol", {}, ...items);
}

function people(fence) {
  const parts = [];
  const list = (title, rows, words) => {
    if (!rows.length) return;
    const lines = rows.slice(0, ROWS).map(words);
    if (rows.length > ROWS) lines.push(`and ${grouped(rows.length - ROWS)} more`);
    parts.push(element("h3", {}, title), element("p", { className: "name" }, lines.join("\n")));
  };
  const waiting = ({ open, waited }) => `${open ? "still waits, for" : "waited for"} ${duration(waited)}`;
  list("Who waits", waitsOf(fence), (wait) => `${taskName(wait.task)} ${waiting(wait)}`);
  list("Who asked to be told", asksOf(fence), (ask) => `${taskName(ask.task)} at ${clock(ask.at)}`);
  return parts;
}

function factList(fence) {
  const list = element("dl", {});
  const add = (name, value) => {
    if (value !== null && value !== "") list.append(element("dt", {}, name), element("dd", {}, value));
  };
  const time = (column) => (facts[column][fence] === null ? null : clock(facts[column][fence]));
  const task = (column) => (facts[column][fence] === null ? null : taskName(facts[column][fence]));
  add("made", time("init") ?? "before the trace began");
  add("by", task("made_by"));
  add("to device", time("emit"));
  add("signaled", time("signaled"));
  add("by", task("signaled_by"));
  add("error", facts.error[fence] === null ? null : String(facts.error[fence]));
  add("abandoned", time("abandoned"));
  add("destroyed", time("destroyed"));
  const { p50, p99, max } = tracks[facts.track[fence]];
  if (p50 !== null) add("usually", `${duration(p50)}; 99 of 100 in ${duration(p99 ?? max)}`);
  for (const job of jobOf(fence)) {
    add("job", [names[job.device], names[job.ring]].filter(Boolean).join(" / "));
    add("queued", job.queued === null ? null : clock(job.queued));
    add("run", job.run === null ? null : clock(job.run));
    add("done", job.done === null ? null : clock(job.done));
    if (job.hardware) add("hardware", link(job.hardware[0], `${job.hardware[1]}:${job.hardware[2]}`));
  }
  return list;
}

const problemButtons = [];
function listProblems() {
  const title = problems.length ? `Problems, most urgent first: ${grouped(problems.length)}` : "Problems";
  $("problems-title").textContent = title;
  const rows = problems.slice(0, LISTED).map((fence, at) => {
    const button = element("button", { type: "button" },
      element("span", { className: "id" }, idOf(fence)), tag(fence),
      element("span", { className: "age" }, duration(facts.age[fence])),
      element("span", { className: "where" }, ownerOf(fence)));
    button.onclick = button.onfocus = () => goToProblem(at);
    problemButtons.push(button);
    return element("li", {}, button);
  });
  const say = (text) => rows.push(element("li", {}, element("p", {}, text)));
  if (problems.length > LISTED) say(`and ${grouped(problems.length - LISTED)} more: J goes on`);
  if (!problems.length) say("None: every fence signaled in time, or is not late yet.");
  $("problems").querySelector("ol").replaceChildren(...rows);
}

const placeOfProblem = new Map(problems.map((fence, at) => [fence, at]));
function markProblem(fence) {
  for (const marked of document.querySelectorAll('#problems [aria-current="true"]')) marked.removeAttribute("aria-current");
  const button = problemButtons[placeOfProblem.get(fence)];
  button?.setAttribute("aria-current", "true");
  button?.scrollIntoView({ block: "nearest" });
}

function goToProblem(at) {
  if (!problems.length) return;
  const fence = problems[(at + problems.length) % problems.length];
  if (fence === view.selected) return;
  select(fence);
  center(fence);
}

function nextProblem(step) {
  const at = placeOfProblem.get(view.selected);
  goToProblem(at === undefined ? (step > 0 ? 0 : -1) : at + step);
}
