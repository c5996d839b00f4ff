// The verdict in words, above everything.

function showHead() {
  document.title = `${data.headline.title} – ${data.title}`;
  document.querySelector("header").classList.add(data.headline.mood);
  $("title").textContent = literal(data.title);
  $("headline").textContent = literal(data.headline.title);
  $("words").replaceChildren(...data.headline.words.map(({ text, fence }) => {
    const item = element("li", {}, literal(text));
    if (fence === null) return item;
    const button = element("button", { type: "button", ariaLabel: `Show fence ${idOf(fence)}` }, "show it");
    button.onclick = () => {
      select(fence);
      center(fence);
    };
    item.append(button);
    return item;
  }));
  const figures = [
    plural(data.events, "event"),
    duration(data.end - data.begin),
    plural(fenceCount, "fence"),
    plural(layout.shown.length, "timeline"),
  ];
  if (data.lost) figures.push(`${grouped(data.lost)} events lost`);
  if (data.malformed) figures.push(`${grouped(data.malformed)} malformed`);
  $("figures").textContent = figures.join(" · ");
  showNotes();
}

function showNotes() {
  const notes = [
    ...data.notes,
    ...data.malformed_lines.map(({ file, line, problem }) => `${file ? `${file}: ` : ""}line ${line}: ${problem}`),
  ];
  if (!notes.length) return;
  $("notes").hidden = false;
  $("notes").querySelector("summary").textContent = `Before you conclude: ${plural(notes.length, "note")}`;
  $("notes").querySelector("ul").replaceChildren(...notes.map((note) => element("li", {}, literal(note))));
}
