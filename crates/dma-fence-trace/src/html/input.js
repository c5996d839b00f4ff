// Mouse and keys.

const STEP = 80;

function at(event) {
  const box = chart.getBoundingClientRect();
  return [event.clientX - box.left, event.clientY - box.top];
}

function hover(event) {
  const [x, y] = at(event);
  const under = hit(x, y);
  chart.classList.toggle("hit", under !== null);
  if ((under?.fence ?? null) !== view.hovered) {
    view.hovered = under?.fence ?? null;
    redraw();
  }
  const track = x < GUTTER ? layout.shown[rowAt(y)] : undefined;
  if (under) showTip(event, fenceTip(under));
  else if (track !== undefined) showTip(event, trackTip(track));
  else $("tip").hidden = true;
}

function fenceTip({ fence, count }) {
  const lines = [ownerOf(fence), plainWords(fence)];
  const waiting = waitsOf(fence);
  if (waiting.length) {
    const more = waiting.length > 1 ? ` and ${waiting.length - 1} more` : "";
    lines.push(`Waited for by ${taskName(waiting[0].task)}${more}`);
  }
  if (count > 1) lines.push(`${plural(count, "fence")} here; this is the most urgent. Zoom in to tell them apart.`);
  return [element("b", {}, idOf(fence)), tag(fence), `\n${lines.join("\n")}`];
}

// The chart cuts long names.
function trackTip(track) {
  const { driver, timeline, context, p50, max } = tracks[track];
  const lines = [`driver ${names[driver] || "(no name)"}`, `timeline ${names[timeline] || "(no name)"}`];
  if (context !== null) lines.push(`context ${context}`);
  lines.push(plural(layout.fencesIn[track], "fence"));
  if (p50 !== null) lines.push(`half of them within ${duration(p50)}, all within ${duration(max)}`);
  return [lines.join("\n")];
}

function showTip(event, content) {
  const tip = $("tip");
  tip.hidden = false;
  tip.replaceChildren(...content);
  const [width, height] = [tip.offsetWidth, tip.offsetHeight];
  tip.style.left = `${Math.max(4, Math.min(event.clientX + 14, innerWidth - width - 6))}px`;
  tip.style.top = `${event.clientY + 18 + height > innerHeight ? event.clientY - height - 10 : event.clientY + 18}px`;
}

function leave() {
  $("tip").hidden = true;
  view.hovered = null;
  chart.classList.remove("hit");
  redraw();
}

function listenToMouse() {
  let drag = null;
  chart.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    drag = { x: event.clientX, y: event.clientY, moved: false };
    chart.setPointerCapture(event.pointerId);
  });
  chart.addEventListener("pointermove", (event) => {
    if (!drag) return hover(event);
    const [dx, dy] = [event.clientX - drag.x, event.clientY - drag.y];
    // A hand that trembles still clicks.
    if (!drag.moved && Math.hypot(dx, dy) < 4) return;
    if (!drag.moved) leave();
    drag = { x: event.clientX, y: event.clientY, moved: true };
    chart.classList.add("drag");
    pan(-dx);
    scroller.scrollTop -= dy;
  });
  chart.addEventListener("pointerup", (event) => {
    if (drag && !drag.moved) {
      const under = hit(...at(event));
      select(under ? under.fence : null);
    }
    drag = null;
    chart.classList.remove("drag");
  });
  chart.addEventListener("pointercancel", () => { drag = null; });
  chart.addEventListener("pointerleave", leave);
  chart.addEventListener("wheel", (event) => {
    const [x] = at(event);
    // Over the names, and with Shift, it scrolls as usual.
    if (x < GUTTER || event.shiftKey) {
      event.preventDefault();
      scroller.scrollTop += event.deltaY || event.deltaX;
      return;
    }
    event.preventDefault();
    // Lines where it counts in lines; two fingers that pinch come with Ctrl, in small steps.
    const pixels = (event.deltaMode === 0 ? 1 : 33) * (event.ctrlKey ? 6 : 1);
    if (Math.abs(event.deltaX) > Math.abs(event.deltaY)) pan(event.deltaX * pixels);
    else zoom(1.0022 ** (event.deltaY * pixels), x);
  }, { passive: false });
}

const KEYS = {
  "+": () => zoom(1 / 1.5),
  "=": () => zoom(1 / 1.5),
  w: () => zoom(1 / 1.5),
  "-": () => zoom(1.5),
  _: () => zoom(1.5),
  s: () => zoom(1.5),
  ArrowLeft: () => pan(-STEP),
  a: () => pan(-STEP),
  ArrowRight: () => pan(STEP),
  d: () => pan(STEP),
  ArrowUp: () => { scroller.scrollTop -= STEP; },
  ArrowDown: () => { scroller.scrollTop += STEP; },
  PageUp: () => { scroller.scrollTop -= view.height - AXIS; },
  PageDown: () => { scroller.scrollTop += view.height - AXIS; },
  Home: () => { scroller.scrollTop = 0; },
  End: () => { scroller.scrollTop = layout.height; },
  0: fit,
  "?": () => $("help").showModal(),
  "/": () => { $("query").focus(); $("query").select(); },
  n: () => nextFound(1),
  N: () => nextFound(-1),
  j: () => nextProblem(1),
  k: () => nextProblem(-1),
  "[": () => neighbour(-1),
  "]": () => neighbour(1),
  Escape: close,
};

function close() {
  if (view.selected !== null) return select(null);
  $("query").value = "";
  search("");
}

// Along the selected fence's lane and from lane to lane: all of a timeline are reached.
function neighbour(step) {
  if (view.selected === null) return nextProblem(1);
  const place = layout.placeOf[view.selected] + step;
  const fence = layout.order[place];
  if (fence === undefined || facts.track[fence] !== facts.track[view.selected]) return;
  select(fence);
  center(fence);
}

// Enter selects what the mouse is over; without one the match, else the most urgent problem.
function enter() {
  if (view.hovered !== null) select(view.hovered);
  else if (found.fences.length) nextFound(1);
  else nextProblem(1);
}

function listenToKeys() {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || $("help").open) return;
    if (event.target === $("query")) {
      if (event.key !== "Escape") return;
      // The field would empty itself; the matches are still wanted, for n and N.
      event.preventDefault();
      chart.focus();
      return;
    }
    if (event.key === "Enter" && event.target === chart) return enter();
    const act = KEYS[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  });
  $("query").addEventListener("input", () => search($("query").value));
  $("query").addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    event.preventDefault();
    nextFound(event.shiftKey ? -1 : 1);
  });
  $("search").addEventListener("submit", (event) => event.preventDefault());
}

function listenToButtons() {
  $("in").onclick = () => zoom(1 / 1.5);
  $("out").onclick = () => zoom(1.5);
  $("fit").onclick = fit;
  $("ask").onclick = () => $("help").showModal();
}
