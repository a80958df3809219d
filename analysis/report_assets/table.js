// The table: sorting, filters, deep links and the CSV of what is shown.
// Address: #sort=-formation_energy_eV&q=text&host=Li2MnO3&formation_energy_eV=2..2.5&row=uid
(() => {
  const table = document.getElementById("vacancy-table");
  const body = table.tBodies[0];
  const heads = [...table.tHead.rows[0].cells];
  const columns = heads.map((th) => ({ ...th.dataset, numeric: th.dataset.kind !== "text", th }));
  const rows = [...body.rows].map((tr) => ({
    tr,
    text: tr.textContent.toLowerCase(),
    shown: [...tr.cells].map((td) => td.dataset.t ?? td.textContent),
    values: [...tr.cells].map((td, i) => value(td, columns[i])),
  }));
  const state = { sort: "", descending: false, filters: new Map() };
  const search = document.getElementById("search");
  const collator = new Intl.Collator("en", { numeric: true });
  const controls = new Map();
  const ALL = "\u0000"; // no value of a row

  function value(td, column) {
    if (!column.numeric) return td.dataset.t ?? td.textContent;
    return td.dataset.v === undefined ? NaN : Number(td.dataset.v);
  }

  /** Negative, zero or positive; what has no value comes last in both directions. */
  function compare(a, b, numeric, sign) {
    const noA = numeric ? Number.isNaN(a) : a === "";
    const noB = numeric ? Number.isNaN(b) : b === "";
    if (noA || noB) return noA - noB;
    return sign * (numeric ? a - b : collator.compare(a, b));
  }

  function sort(name, descending) {
    const index = columns.findIndex((column) => column.name === name);
    if (index < 0) return;
    Object.assign(state, { sort: name, descending });
    const { numeric } = columns[index];
    const sign = descending ? -1 : 1;
    rows.sort((a, b) => compare(a.values[index], b.values[index], numeric, sign));
    body.append(...rows.map((row) => row.tr));
    columns.forEach(({ th }, i) => {
      if (i === index) th.setAttribute("aria-sort", descending ? "descending" : "ascending");
      else th.removeAttribute("aria-sort");
    });
  }

  function matches(row) {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    if (!words.every((word) => row.text.includes(word))) return false;
    for (const [index, wanted] of state.filters) {
      if (typeof wanted === "string") {
        if (row.shown[index] !== wanted) return false;
      } else if (!(row.values[index] >= wanted[0] && row.values[index] <= wanted[1])) return false;
    }
    return true;
  }

  function filter() {
    let count = 0;
    for (const row of rows) {
      const keep = matches(row);
      row.tr.hidden = !keep;
      count += keep;
    }
    document.getElementById("shown").textContent = `${count} of ${rows.length} rows`;
  }

  function remember() {
    const link = new URLSearchParams();
    if (state.sort) link.set("sort", (state.descending ? "-" : "") + state.sort);
    if (search.value) link.set("q", search.value);
    for (const [index, wanted] of state.filters) {
      const range = (limit) => (Number.isFinite(limit) ? limit : "");
      link.set(columns[index].name, typeof wanted === "string" ? wanted : wanted.map(range).join(".."));
    }
    const chosen = body.querySelector('[aria-current="true"]');
    if (chosen) link.set("row", chosen.dataset.uid);
    try {
      history.replaceState(null, "", `#${link}`);
    } catch {
      // some browsers refuse this for local files; the view itself is not affected
    }
  }

  function follow() {
    if (!location.hash.includes("=")) return;
    const link = new URLSearchParams(location.hash.slice(1));
    search.value = link.get("q") ?? "";
    columns.forEach(({ name }, index) => {
      if (link.has(name) && controls.has(index)) controls.get(index).write(link.get(name));
    });
    const wanted = link.get("sort") ?? "";
    if (wanted) sort(wanted.replace(/^-/, ""), wanted.startsWith("-"));
    filter();
    if (link.has("row")) choose(link.get("row"));
    document.getElementById("vacancies").scrollIntoView();
  }

  function select(index, options, parent) {
    const box = document.createElement("select");
    const name = (text) => ({ True: "yes", False: "no" })[text] ?? (text || "–");
    box.append(new Option("all", ALL), ...options.map((text) => new Option(name(text), text)));
    const read = () => {
      if (box.value === ALL) state.filters.delete(index);
      else state.filters.set(index, box.value);
    };
    box.addEventListener("change", () => changed(read));
    const label = document.createElement("label");
    label.append(columns[index].label, box);
    parent.append(label);
    const write = (text) => {
      box.value = options.includes(text) ? text : ALL;
      read();
    };
    controls.set(index, { read, write });
  }

  function range(index, parent) {
    const inputs = ["min", "max"].map((end) => {
      const input = Object.assign(document.createElement("input"), { type: "number", step: "any" });
      input.placeholder = end;
      input.setAttribute("aria-label", `${columns[index].label}, ${end}`);
      return input;
    });
    const read = () => {
      const [low, high] = inputs.map((input) => input.value);
      if (low === "" && high === "") state.filters.delete(index);
      else state.filters.set(index, [low === "" ? -Infinity : +low, high === "" ? Infinity : +high]);
    };
    inputs.forEach((input) => input.addEventListener("input", () => changed(read)));
    const set = document.createElement("fieldset");
    const legend = document.createElement("legend");
    const span = document.createElement("span");
    legend.textContent = columns[index].label;
    span.append(...inputs);
    set.append(legend, span);
    parent.append(set);
    const write = (text) => {
      text.split("..").forEach((part, i) => { if (inputs[i]) inputs[i].value = part; });
      read();
    };
    controls.set(index, { read, write });
  }

  function changed(read) {
    read?.();
    filter();
    remember();
  }

  function choose(uid) {
    document.dispatchEvent(new CustomEvent("choose-cell", { detail: uid }));
  }

  /** Scroll the table, not the page, to a row. */
  function reveal(tr) {
    const box = tr.closest(".scroll");
    const [inside, outside] = [tr.getBoundingClientRect(), box.getBoundingClientRect()];
    const top = outside.top + table.tHead.offsetHeight;
    if (inside.top < top) box.scrollTop -= top - inside.top;
    else if (inside.bottom > outside.bottom) box.scrollTop += inside.bottom - outside.bottom;
  }

  function csv() {
    const quote = (text) => (/[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
    const line = (cells) => cells.map(quote).join(",");
    const raw = (td) => td.dataset.v ?? td.dataset.t ?? td.textContent;
    const kept = [...body.rows].filter((tr) => !tr.hidden);
    const lines = kept.map((tr) => line([...tr.cells].map(raw)));
    return [line(columns.map((column) => column.name)), ...lines].join("\n") + "\n";
  }

  columns.forEach((column, index) => {
    column.th.querySelector("button").addEventListener("click", () => {
      sort(column.name, state.sort === column.name && !state.descending);
      remember();
    });
    const parent = document.getElementById("column-filters");
    const options = [...new Set(rows.map((row) => row.shown[index]))].sort(collator.compare);
    if (column.filter === "select" && options.length > 1) select(index, options, parent);
    if (column.filter === "range" && rows.length > 1) range(index, parent);
  });
  search.addEventListener("input", () => changed());
  const form = document.getElementById("filters");
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(() => {
    state.filters.clear();
    changed();
  }));
  const more = document.getElementById("more");
  table.classList.add("brief");
  more.addEventListener("click", () => {
    more.setAttribute("aria-pressed", String(!table.classList.toggle("brief")));
  });
  document.getElementById("save-csv").addEventListener("click", () => {
    save("vacancies.csv", `data:text/csv;charset=utf-8,${encodeURIComponent(csv())}`);
  });
  body.addEventListener("click", (event) => {
    const tr = event.target.closest("tr");
    if (tr && !String(getSelection())) choose(tr.dataset.uid);
  });
  document.addEventListener("chosen-cell", (event) => {
    for (const row of rows) {
      if (row.tr.dataset.uid === event.detail.uid) row.tr.setAttribute("aria-current", "true");
      else row.tr.removeAttribute("aria-current");
    }
    if (event.detail.remember) remember();
    reveal(body.querySelector('[aria-current="true"]'));
  });
  form.hidden = false;
  window.addEventListener("hashchange", follow);
  window.addEventListener("DOMContentLoaded", follow);
})();
