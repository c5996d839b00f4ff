// Begins.

showHead();
listProblems();
listenToMouse();
listenToKeys();
listenToButtons();
scroller.addEventListener("scroll", redraw);
new ResizeObserver(resize).observe(scroller);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", readTheme);
resize();
readTheme();
fit();
chart.focus({ preventScroll: true });
