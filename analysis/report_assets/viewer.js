// The 3D view: choosing a cell, turning, zooming, what lies under the pointer.
(() => {
  const packed = JSON.parse(document.getElementById("cell-data").textContent);
  const panel = document.getElementById("viewer");
  const canvas = document.getElementById("viewer-canvas");
  const choice = document.getElementById("viewer-choice");
  const hover = document.getElementById("viewer-hover");
  const legend = document.getElementById("viewer-legend");
  const [withBonds, withSymbols] = ["viewer-bonds", "viewer-symbols"].map((id) =>
    document.getElementById(id));
  const rows = [...document.querySelectorAll("#vacancy-table tbody tr")];
  const names = new Map(rows.filter((tr) => packed[tr.dataset.uid])
    .map((tr) => [tr.dataset.uid, tr.dataset.title]));
  if (!names.size) return;
  const cross = (a, b) => [1, 2, 0].map((j, i) => a[j] * b[(i + 2) % 3] - a[(i + 2) % 3] * b[j]);
  const unit = (a) => a.map((x) => x / Math.hypot(...a));
  let crystal = null;
  let turn = null;
  let zoom = 1; // pixels per Å, as a multiple of what fits the cell
  let extent = [1, 1]; // Å from the centre, to the right and up, as the view was set

  /** Rows of the rotation that look along a lattice vector; c* (or b*, from above) points up. */
  function along(axis) {
    const [a, b, c] = crystal.rows;
    const towards = unit({ a, b: b.map((x) => -x), c }[axis]);
    const up = unit(axis === "c" ? cross(c, a) : cross(a, b));
    const right = unit(cross(up, towards));
    return [right, cross(towards, right), towards];
  }

  /** Set a view and fit the cell to it; turning by hand keeps this scale. */
  function set(view) {
    turn = view;
    const corners = crystal.edges.flat().map((p) => p.map((x, k) => x - crystal.centre[k]));
    const reach = (axis) => Math.max(...corners.map((p) => p.reduce((s, x, k) => s + x * axis[k], 0)));
    extent = [reach(turn[0]) + 0.8, reach(turn[1]) + 0.8];
    draw();
  }

  function turned(view, horizontal, vertical) {
    const spin = ([x, y, z], angle) => [
      x, y.map((v, k) => Math.cos(angle) * v - Math.sin(angle) * z[k]),
      y.map((v, k) => Math.sin(angle) * v + Math.cos(angle) * z[k])];
    const [y, z, x] = spin([view[1], view[2], view[0]], horizontal);
    return spin([x, y, z], vertical);
  }

  function rotate(horizontal, vertical) {
    turn = turned(turn, horizontal, vertical);
    draw();
  }

  function draw(onPaper = false) {
    const style = getComputedStyle(document.documentElement);
    const colour = (name) => style.getPropertyValue(name).trim();
    const ratio = window.devicePixelRatio || 1;
    const [width, height] = [canvas.clientWidth, canvas.clientHeight];
    if (!crystal || !width) return;
    Object.assign(canvas, { width: width * ratio, height: height * ratio });
    const context = canvas.getContext("2d");
    context.scale(ratio, ratio);
    paint(context, crystal, {
      turn, width, height,
      ink: onPaper ? "#1a2129" : colour("--ink"), paper: onPaper ? "#ffffff" : colour("--paper"),
      scale: (zoom / 2) * Math.min(width / extent[0], height / extent[1]),
      withBonds: withBonds.checked, withSymbols: withSymbols.checked,
    });
  }

  function show(uid, remember) {
    if (!names.has(uid)) return;
    const first = !crystal;
    crystal = build(packed[uid]);
    if (first) turn = turned(turned(along("b"), 0.28, 0), 0, 0.16);
    set(turn);
    choice.value = uid;
    canvas.setAttribute("aria-label", `Cell of ${names.get(uid)}: atoms, bonds and the vacant site`);
    const elements = [...new Set(crystal.atoms.map((atom) => atom.element))];
    legend.replaceChildren(...elements.map((element) => {
      const [entry, mark] = [document.createElement("li"), document.createElement("i")];
      if (element === VACANCY) mark.className = "ring";
      else [mark.style.background] = look(element);
      entry.append(mark, element === VACANCY ? "vacancy (V_O)" : element);
      return entry;
    }));
    hover.textContent = "\u00a0";
    draw();
    document.dispatchEvent(new CustomEvent("chosen-cell", { detail: { uid, remember } }));
  }

  function describe(event) {
    const box = canvas.getBoundingClientRect();
    const [x, y] = [event.clientX - box.left, event.clientY - box.top];
    const under = ({ screen }) => Math.hypot(screen.x - x, screen.y - y) <= screen.radius;
    const hit = crystal.atoms.filter(under).sort((a, b) => b.screen.z - a.screen.z)[0];
    if (!hit) return "\u00a0";
    const name = hit.element === VACANCY ? "V_O" : hit.element;
    const lengths = hit.near.map((other) => other.length).sort((a, b) => a - b);
    if (!lengths.length) return `${name}: nothing within 2.6 Å`;
    const text = lengths.map((length) => length.toFixed(2)).join(", ");
    const kind = ANIONS.has(hit.element) || hit.element === VACANCY ? "cations" : "anions";
    return `${name}: ${lengths.length} ${kind} at ${text} Å`;
  }

  function zoomBy(factor) {
    zoom = Math.min(8, Math.max(0.3, zoom * factor));
    draw();
  }

  const pointers = new Set();
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    pointers.add(event.pointerId);
  });
  for (const end of ["pointerup", "pointercancel"]) {
    canvas.addEventListener(end, (event) => pointers.delete(event.pointerId));
  }
  canvas.addEventListener("pointermove", (event) => {
    if (pointers.has(event.pointerId)) rotate(event.movementX * 0.01, event.movementY * 0.01);
    else hover.textContent = describe(event);
  });
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    zoomBy(Math.exp(-0.0015 * event.deltaY));
  }, { passive: false });
  canvas.addEventListener("keydown", (event) => {
    const turns = { ArrowLeft: [-0.1, 0], ArrowRight: [0.1, 0], ArrowUp: [0, -0.1], ArrowDown: [0, 0.1] };
    if (turns[event.key]) rotate(...turns[event.key]);
    else if (event.key === "+" || event.key === "-") zoomBy(event.key === "+" ? 1.2 : 1 / 1.2);
    else return;
    event.preventDefault();
  });
  for (const button of panel.querySelectorAll("[data-view]")) {
    button.addEventListener("click", () => {
      zoom = 1;
      set(along(button.dataset.view));
    });
  }
  for (const button of panel.querySelectorAll("[data-zoom]")) {
    button.addEventListener("click", () => zoomBy(Number(button.dataset.zoom)));
  }
  document.getElementById("viewer-save").addEventListener("click", () => {
    save(`${choice.value}.png`, canvas.toDataURL("image/png"));
  });
  for (const box of [withBonds, withSymbols]) box.addEventListener("change", () => draw());
  choice.append(...[...names].map(([uid, name]) => new Option(name, uid)));
  choice.addEventListener("change", () => show(choice.value, true));
  document.addEventListener("choose-cell", (event) => show(event.detail, true));
  panel.hidden = false;
  new ResizeObserver(() => draw()).observe(canvas);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => draw());
  window.addEventListener("beforeprint", () => draw(true));
  window.addEventListener("afterprint", () => draw());
  show(names.keys().next().value, false);
})();
