// A cell of the report as atoms, bonds and edges in Cartesian coordinates (no drawing here).
const ANIONS = new Set(["N", "O", "F", "P", "S", "Cl", "Se", "Br", "Te", "I"]);
const VACANCY = "V";
const BOND = 2.6; // Å, cation to anion, as the coordination column counts
const NEAR = 0.02; // fractional: atoms this near to a face are drawn on the opposite one too

/** Cell from its compact form: nine numbers, [[element, count], ...], base64 of uint16, site. */
function unpack([lattice, counts, packed, vacancy]) {
  const bytes = Uint8Array.from(atob(packed), (letter) => letter.charCodeAt(0));
  const view = new DataView(bytes.buffer);
  const elements = counts.flatMap(([element, n]) => Array(n).fill(element));
  const atoms = elements.map((element, i) => ({
    element,
    f: [0, 1, 2].map((k) => view.getUint16(2 * (3 * i + k), true) / 65536),
  }));
  if (vacancy) atoms.push({ element: VACANCY, f: vacancy });
  const rows = [0, 3, 6].map((i) => lattice.slice(i, i + 3));
  const cartesian = (f) => [0, 1, 2].map((k) => f.reduce((sum, x, i) => sum + x * rows[i][k], 0));
  const steps = STEPS.map((step) => ({ step, move: cartesian(step) }));
  return { rows, atoms, cartesian, steps };
}

/** Shifts along one axis that put an atom into the cell or onto one of its faces. */
function faces(x) {
  if (x < NEAR) return [0, 1];
  return x > 1 - NEAR ? [0, -1] : [0];
}

function images(cell) {
  const found = new Map();
  cell.atoms.forEach(({ element, f }, index) => {
    for (const i of faces(f[0])) for (const j of faces(f[1])) for (const k of faces(f[2])) {
      const at = [f[0] + i, f[1] + j, f[2] + k];
      found.set(`${index}:${i},${j},${k}`, { element, f: at, p: cell.cartesian(at) });
    }
  });
  return found;
}

/** Whether two species are drawn as bonded: a cation with an anion or with the vacant site. */
function bonds(one, other) {
  const negative = (element) => ANIONS.has(element) || element === VACANCY;
  return negative(one) !== negative(other);
}

const STEPS = [-1, 0, 1].flatMap((i) => [-1, 0, 1].flatMap((j) => [-1, 0, 1].map((k) => [i, j, k])));

/** Every neighbour of a drawn atom within BOND, those outside the drawing included. */
function neighbours(cell, from) {
  const found = [];
  cell.atoms.forEach(({ element, f }, index) => {
    if (!bonds(from.element, element)) return;
    const nearest = f.map((x, k) => Math.round(from.f[k] - x));
    const p = cell.cartesian(f.map((x, k) => x + nearest[k]));
    const [x, y, z] = p.map((coordinate, k) => coordinate - from.p[k]);
    for (const { step, move } of cell.steps) {
      const square = (x + move[0]) ** 2 + (y + move[1]) ** 2 + (z + move[2]) ** 2;
      if (square > BOND * BOND) continue;
      const key = `${index}:${nearest.map((n, k) => n + step[k])}`;
      found.push({ key, p: p.map((v, k) => v + move[k]), element, length: Math.sqrt(square) });
    }
  });
  return found;
}

/** The whole drawing: atoms, bonds (stubs towards atoms that are not drawn), edges, centre. */
function build(packed) {
  const cell = unpack(packed);
  const drawn = images(cell);
  const sticks = [];
  for (const atom of drawn.values()) {
    const close = neighbours(cell, atom);
    const cation = !ANIONS.has(atom.element) && atom.element !== VACANCY;
    for (const other of close) {
      const whole = drawn.has(other.key);
      if (whole && !cation) continue; // drawn from the cation's side
      sticks.push({ from: atom, to: other, whole });
    }
    atom.near = close;
  }
  const corner = (i, j, k) => cell.cartesian([i, j, k]);
  const edges = [];
  for (const i of [0, 1]) for (const j of [0, 1]) {
    edges.push([corner(0, i, j), corner(1, i, j)]);
    edges.push([corner(i, 0, j), corner(i, 1, j)]);
    edges.push([corner(i, j, 0), corner(i, j, 1)]);
  }
  const centre = corner(0.5, 0.5, 0.5);
  const distance = (p) => Math.hypot(...p.map((x, k) => x - centre[k]));
  const radius = Math.max(...edges.flat().map(distance));
  return { rows: cell.rows, atoms: [...drawn.values()], sticks, edges, centre, radius };
}
