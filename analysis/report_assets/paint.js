// Drawing a crystal on a canvas: orthographic, back to front, with fog for depth.
// Colours after Okabe and Ito (2008), told apart by colour-blind readers; radii in Å of the drawing.
const LOOKS = {
  O: ["#d55e00", 0.44], Li: ["#56b4e9", 0.34], Na: ["#a6cee3", 0.42], Mn: ["#8b4fa8", 0.42],
  Ni: ["#009e73", 0.42], Co: ["#0047b3", 0.42], Fe: ["#e69f00", 0.42], Ti: ["#8c8c8c", 0.42],
  Al: ["#b0b7bd", 0.38], F: ["#9acd32", 0.4], S: ["#f0e442", 0.48], Mg: ["#f5a3c7", 0.38],
};
const OTHERS = ["#cc79a7", "#66a61e", "#a6761d", "#1b9e77", "#7570b3", "#666666"];

function look(element) {
  if (LOOKS[element]) return LOOKS[element];
  const code = [...element].reduce((sum, letter) => 31 * sum + letter.charCodeAt(0), 0);
  return [OTHERS[code % OTHERS.length], 0.42];
}

function mix(colour, other, share) {
  const parts = (text) => [1, 3, 5].map((i) => parseInt(text.slice(i, i + 2), 16));
  const [a, b] = [parts(colour), parts(other)];
  return `rgb(${a.map((x, i) => Math.round(x + share * (b[i] - x)))})`;
}

/** Draw `crystal` turned by the rows of `turn`, `scale` pixels per Å, in the page's `ink`. */
function paint(context, crystal, { turn, scale, width, height, ink, paper, withBonds, withSymbols }) {
  const dot = (a, b) => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
  const project = (p) => {
    const r = p.map((x, k) => x - crystal.centre[k]);
    return [width / 2 + scale * dot(turn[0], r), height / 2 - scale * dot(turn[1], r), dot(turn[2], r)];
  };
  const fog = (z) => Math.min(0.62, Math.max(0, 0.31 * (1 - z / crystal.radius)));
  const between = (a, b, t) => a.map((x, k) => x + t * (b[k] - x));
  const items = [];

  function line(a, b, colour, thickness, dash = [], pale = 0) {
    const [from, to] = [project(a), project(b)];
    const z = (from[2] + to[2]) / 2;
    items.push([z, () => {
      context.strokeStyle = mix(colour, paper, Math.min(0.8, fog(z) + pale));
      context.lineWidth = thickness;
      context.setLineDash(dash);
      context.beginPath();
      context.moveTo(from[0], from[1]);
      context.lineTo(to[0], to[1]);
      context.stroke();
      context.setLineDash([]);
    }]);
  }

  function ball(atom) {
    const [x, y, z] = project(atom.p);
    const [colour, size] = look(atom.element);
    const radius = size * scale;
    atom.screen = { x, y, z, radius };
    items.push([z, () => {
      const shade = context.createRadialGradient(
        x - 0.35 * radius, y - 0.4 * radius, 0.05 * radius, x, y, radius);
      shade.addColorStop(0, mix(mixed(colour, "#ffffff", 0.75), paper, fog(z)));
      shade.addColorStop(0.45, mix(colour, paper, fog(z)));
      shade.addColorStop(1, mix(mixed(colour, "#000000", 0.4), paper, fog(z)));
      disc(x, y, radius);
      context.fillStyle = shade;
      context.fill();
      if (withSymbols) text(atom.element, x, y, Math.max(9, 0.9 * radius), "#000000", "#ffffff");
    }]);
  }

  function ring(atom) {
    const [x, y, z] = project(atom.p);
    const radius = 0.55 * scale;
    atom.screen = { x, y, z, radius };
    items.push([z, () => {
      disc(x, y, radius);
      context.strokeStyle = ink;
      context.lineWidth = 2.5;
      context.setLineDash([5, 4]);
      context.stroke();
      context.setLineDash([]);
    }]);
    items.push([Infinity, () => { // the label is never hidden
      text("V", x - 4, y, 15, ink, paper);
      text("O", x + 6, y + 5, 10, ink, paper);
    }]);
  }

  function disc(x, y, radius) {
    context.beginPath();
    context.arc(x, y, radius, 0, 2 * Math.PI);
  }

  function text(label, x, y, size, colour, halo) {
    context.font = `bold ${size}px system-ui, sans-serif`;
    context.textAlign = "center";
    context.textBaseline = "middle";
    context.lineWidth = 3;
    context.strokeStyle = halo;
    context.strokeText(label, x, y);
    context.fillStyle = colour;
    context.fillText(label, x, y);
  }

  function stick({ from, to, whole }) {
    const vacant = from.element === VACANCY || to.element === VACANCY;
    const dash = vacant ? [3, 4] : [];
    const thickness = vacant ? 1.6 : Math.max(2, 0.11 * scale);
    const middle = between(from.p, to.p, 0.5);
    const colour = (element) => (vacant ? ink : look(element)[0]);
    if (!whole) {
      line(between(from.p, to.p, 0.12), between(from.p, to.p, 0.36), colour(from.element),
        0.5 * thickness, dash, 0.35);
      return;
    }
    line(between(from.p, to.p, 0.12), middle, colour(from.element), thickness, dash);
    line(middle, between(from.p, to.p, 0.88), colour(to.element), thickness, dash);
  }

  context.clearRect(0, 0, width, height);
  context.fillStyle = paper;
  context.fillRect(0, 0, width, height);
  context.lineCap = "round";
  for (const [a, b] of crystal.edges) {
    for (let i = 0; i < 8; i += 1) line(between(a, b, i / 8), between(a, b, (i + 1) / 8), ink, 1);
  }
  for (const atom of crystal.atoms) (atom.element === VACANCY ? ring : ball)(atom);
  for (const bond of withBonds ? crystal.sticks : []) stick(bond);
  items.sort((a, b) => a[0] - b[0]);
  for (const [, draw] of items) draw();
  ["a", "b", "c"].forEach((name, i) => {
    const unit = crystal.rows[i].map((x) => x / Math.hypot(...crystal.rows[i]));
    const [x0, y0] = [38, height - 38];
    const [x, y] = [x0 + 24 * dot(turn[0], unit), y0 - 24 * dot(turn[1], unit)];
    context.strokeStyle = ink;
    context.lineWidth = 1.5;
    context.beginPath();
    context.moveTo(x0, y0);
    context.lineTo(x, y);
    context.stroke();
    text(name, x0 + 1.4 * (x - x0), y0 + 1.4 * (y - y0), 12, ink, paper);
  });
}

/** As `mix`, in hexadecimal, so that it can be mixed again. */
function mixed(colour, other, share) {
  const numbers = mix(colour, other, share).match(/\d+/g);
  return `#${numbers.map((x) => Number(x).toString(16).padStart(2, "0")).join("")}`;
}
