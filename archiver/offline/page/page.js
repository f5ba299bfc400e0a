// Draws the charts of a page from its exact figures, for the selected days and lines.
// Amounts are summed as BigInt, so that every number in text is exact; floats only position marks.
"use strict";

const DAY = 86400000;
const figures = JSON.parse(document.getElementById("figures").textContent);
const selected = { since: figures.first, until: figures.last, grain: "", facet: {}, hidden: {} };
const views = {};
const marked = {}; // by chart id, the buckets or rows of its marks: a tooltip finds them by the mark's key
const tip = document.getElementById("tip");

const utc = (day) => Date.parse(day + "T00:00:00Z");
const iso = (moment) => new Date(moment).toISOString().slice(0, 10);
const grouped = (digits) => digits.replace(/\B(?=(\d{3})+$)/g, ",");
const absolute = (value) => (value < 0n ? -value : value);
const sum = (values) => values.reduce((so_far, value) => so_far + value, 0n);

// --- exact text -----------------------------------------------------------------------------------------------------

function exact(value, measure) {
  const digits = measure === "money" ? figures.digits : 0;
  const text = String(absolute(value)).padStart(digits + 1, "0");
  const whole = (value < 0n ? "-" : "") + grouped(text.slice(0, text.length - digits));
  const rest = digits ? text.slice(text.length - digits).replace(/0+$/, "") : "";
  return digits ? whole + "." + rest.padEnd(2, "0") : whole;
}

// Splits an exact amount after two fractional digits; the fainter rest is padded to the longest of the tooltip.
function split(text, digits) {
  const point = text.indexOf(".");
  return [text.slice(0, point + 3), text.slice(point + 3).padEnd(digits, "0")];
}

// Rounds half away from zero, as the tables of Python do.
function rounded(value) {
  const cent = 10n ** BigInt(figures.digits - 2);
  const cents = (absolute(value) + cent / 2n) / cent;
  const sign = value < 0n && cents ? "-" : "";
  return sign + grouped(String(cents / 100n)) + "." + String(cents % 100n).padStart(2, "0");
}

function percent(part, whole) {
  if (!whole) return "";
  // Half up: BigInt division rounds down, so half of the divisor is added, and both are doubled to keep it whole.
  const tenths = (part * 2000n + whole) / (2n * whole);
  return `${tenths / 10n}.${tenths % 10n}%`;
}

function compact(value) {
  for (const [size, word] of [[10n ** 12n, "trillion"], [10n ** 9n, "billion"], [10n ** 6n, "million"]]) {
    const hundredths = (value * 100n + size / 2n) / size; // rounded half up, as on the cards
    if (hundredths >= 100n) return [`${hundredths / 100n}.${String(hundredths % 100n).padStart(2, "0")}`, word];
  }
  return [grouped(String(value)), ""];
}

// --- days and sums --------------------------------------------------------------------------------------------------

// The indices of the first and last selected day in a chart's own days; the last may be before the first, for none.
function span(chart) {
  const first = utc(chart.begin);
  const from = Math.max(0, (utc(selected.since) - first) / DAY);
  const to = Math.max(-1, Math.min(chart.states.length - 1, (utc(selected.until) - first) / DAY));
  return [from, to];
}

function grain() {
  if (selected.grain) return selected.grain;
  const days = (utc(selected.until) - utc(selected.since)) / DAY + 1;
  // About as many bars as a chart has room for: 100 days or 115 weeks.
  return days <= 100 ? "day" : days <= 800 ? "week" : "month";
}

// Weeks begin on Monday: getUTCDay counts from Sunday.
function bucket_of(moment) {
  const date = new Date(moment);
  if (grain() === "month") return iso(moment).slice(0, 7);
  return iso(grain() === "week" ? moment - ((date.getUTCDay() + 6) % 7) * DAY : moment);
}

function buckets_of(chart) {
  const [from, to] = span(chart);
  const found = [];
  for (let i = from; i <= to; i++) {
    const moment = utc(chart.begin) + i * DAY;
    const name = bucket_of(moment);
    if (!found.length || found.at(-1).name !== name) found.push({ key: String(found.length), name, begin: moment, from: i });
    Object.assign(found.at(-1), { end: moment + DAY, to: i });
  }
  for (const one of found) {
    const states = chart.states.slice(one.from, one.to + 1);
    one.days = states.length;
    one.gaps = states.split("-").length - 1;
    one.empty = /^[- ]+$/.test(states);
    one.provisional = states.includes("p");
    one.progress = iso(one.end - DAY) === figures.progress;
    one.title = one.days === 1 ? iso(one.begin) : `${iso(one.begin)} to ${iso(one.end - DAY)}`;
  }
  return found;
}

const between = (values, from, to) => sum(values.slice(from, to + 1).map((text) => BigInt(text || 0)));
const facet_of = (chart) => chart.facets[selected.facet[chart.id] || 0];
const hidden_of = (chart) => (selected.hidden[chart.id + facet_of(chart).by] ??= new Set());
const lines_of = (chart) => facet_of(chart).lines.filter((line) => !hidden_of(chart).has(line.name));

// --- what each kind of chart shows ----------------------------------------------------------------------------------

// Rows of marks; floats are allowed from here on, as they only position.
const drawn = {
  stack(chart, buckets) {
    const scale = chart.measure === "money" ? 10 ** figures.digits : 1;
    const rows = [];
    for (const one of buckets) {
      let [above, below] = [0n, 0n]; // credits are stacked downwards from zero
      for (const line of lines_of(chart)) {
        const value = between(line.values, one.from, one.to);
        if (!value) continue;
        const low = value < 0n ? below : above;
        if (value < 0n) below += value; else above += value;
        rows.push({
          begin: one.begin, till: one.begin + (one.end - one.begin) * 0.86, colour: line.colour,
          low: Number(low) / scale, high: Number(low + value) / scale,
        });
      }
    }
    return rows;
  },
  rate(chart, buckets) {
    return lines_of(chart).flatMap((line) => buckets.map((one) => {
      // Without the day in progress: the rate of a few hours would set the scale of all days.
      const to = one.progress && buckets.length > 1 ? one.to - 1 : one.to;
      const whole = between(line.whole, one.from, to);
      const rate = whole ? Number(between(line.values, one.from, to)) / Number(whole) : null;
      return { middle: (one.begin + one.end) / 2, rate, colour: line.colour, name: line.name };
    }));
  },
  ranked(chart) {
    const [from, to] = span(chart);
    const rows = lines_of(chart).map((line) => ({ line, value: between(line.values, from, to) }));
    rows.sort((a, b) => a.line.rest - b.line.rest || (a.value < b.value ? 1 : a.value > b.value ? -1 : 0));
    marked[chart.id] = rows;
    return rows.map(({ line, value }, place) => ({
      place, key: String(place), name: line.name, colour: line.colour, value: Number(value), amount: rounded(value),
    }));
  },
};

// An invisible mark: without any mark, a scale has no domain and Vega draws no axis.
function unseen({ begin }) {
  return { begin, till: begin, middle: begin, low: 0, high: 0, rate: 0, colour: "transparent", name: "" };
}

// Marks above the bars of the days that a chart points at.
function marks_of(chart, buckets, rows) {
  const found = [];
  for (const one of buckets) {
    one.pointed = (chart.marks ?? []).filter(([day]) => utc(day) >= one.begin && utc(day) < one.end).map(([, text]) => text);
    if (!one.pointed.length) continue;
    const tops = rows.filter((row) => row.begin === one.begin).map((row) => row.high);
    found.push({ middle: (one.begin + one.begin + (one.end - one.begin) * 0.86) / 2, high: Math.max(0, ...tops), opacity: 1 });
  }
  // Without marks, one that is not seen: an empty layer has no domain, of which Vega warns.
  return found.length ? found : buckets.slice(0, 1).map(({ begin }) => ({ middle: begin, high: 0, opacity: 0 }));
}

function data_of(chart) {
  if (chart.rows) { // the marks themselves, which no choice of days changes
    marked[chart.id] = chart.rows;
    const [upper, lower] = [0, 1].map((side) => chart.rows.filter((row) => row.side === side));
    return { rows: chart.rows, names: chart.names, ticks: chart.ticks, upper, lower };
  }
  const buckets = chart.kind === "ranked" ? [] : buckets_of(chart);
  if (chart.kind === "ranked") return { rows: drawn.ranked(chart) };
  marked[chart.id] = buckets;
  const rows = drawn[chart.kind](chart, buckets);
  if (buckets.length && !rows.some((row) => row.rate !== null)) rows.push(unseen(buckets[0]));
  // Without gaps, one of no width: it is not seen, and the layer keeps the domain of the others.
  const gaps = buckets.filter((one) => one.gaps);
  const data = { rows, buckets, gaps: gaps.length ? gaps : buckets.slice(0, 1).map(({ begin }) => ({ begin, end: begin })) };
  return chart.kind === "stack" ? { ...data, marks: marks_of(chart, buckets, rows) } : data;
}

// --- the tooltip ----------------------------------------------------------------------------------------------------

function element(name, text = "", kind = "") {
  const made = document.createElement(name);
  made.textContent = text;
  if (kind) made.className = kind;
  return made;
}

function swatch(colour) {
  const made = element("span", "", "swatch");
  made.style.background = colour;
  return made;
}

function tooltip_row(colour, name, cells, kind = "") {
  const row = element("tr", "", kind);
  const head = element("th", name);
  if (colour) head.prepend(swatch(colour));
  row.append(head, ...cells.map((text) => element("td", text, "number")));
  return row;
}

// Pads amounts to the same number of fractional digits, so that their points are below each other.
function align(cells) {
  const longest = Math.max(...cells.map((cell) => cell.textContent.length - cell.textContent.indexOf(".") - 3));
  for (const cell of cells) {
    const [cents, fine] = split(cell.textContent, longest);
    cell.replaceChildren(cents, element("span", fine, "fine"));
  }
}

function tooltip_rows(chart, one) {
  if (one.empty) return [[], "not archived"];
  const rate = chart.kind === "rate";
  const found = lines_of(chart).map((line) => ({
    line, value: between(line.values, one.from, one.to), whole: rate ? between(line.whole, one.from, one.to) : 0n,
  })).filter(({ value, whole }) => value || whole);
  if (!rate) found.sort((a, b) => (a.value < b.value ? 1 : -1));
  const rows = found.map(({ line, value, whole }) => tooltip_row(line.colour, line.name,
    rate ? [percent(value, whole), `${exact(value)} of ${exact(whole)}`] : [exact(value, chart.measure)]));
  if (!rate && !(figures.mixed && chart.measure === "money")) {
    const whole = exact(sum(found.map(({ value }) => value)), chart.measure);
    rows.push(tooltip_row("", chart.measure === "money" ? `total, ${figures.unit}` : "total", [whole], "sum"));
  }
  if (chart.measure === "money") align(rows.map((row) => row.lastChild));
  const asides = [];
  if (one.gaps) asides.push(`${one.gaps} of ${one.days} days are not archived`);
  if (rate && one.progress && marked[chart.id].length > 1) asides.push("the line leaves out the day in progress");
  if (one.provisional) asides.push("provisional, may still change");
  asides.push(...(one.pointed ?? []));
  return [rows, asides.join("; ")];
}

function tooltip_of(chart, key) {
  const one = marked[chart.id][Number(key)];
  if (chart.rows) return [one.title, one.texts.map(([name, text]) => tooltip_row("", name, [text])), ""];
  if (chart.kind === "ranked") {
    const whole = sum(marked[chart.id].map(({ value }) => value));
    const share = figures.mixed ? [] : [tooltip_row("", "share", [percent(one.value, whole)])];
    return [one.line.name, [tooltip_row("", figures.unit, [exact(one.value, "money")]), ...share], ""];
  }
  return [one.title, ...tooltip_rows(chart, one)];
}

function point_at(chart, event, key) {
  if (key === null || key === undefined || key === "") {
    tip.hidden = true;
    return;
  }
  const [title, rows, aside] = tooltip_of(chart, key);
  const table = element("table");
  table.append(...rows);
  tip.replaceChildren(element("p", title, "title"), table, element("p", aside, "aside"));
  tip.hidden = false;
  // Next to the pointer, on its other side where it would leave the window, and never beyond the edges.
  const { clientX: x, clientY: y } = event.touches?.[0] ?? event;
  const [width, height] = [tip.offsetWidth, tip.offsetHeight];
  tip.style.left = `${Math.max(8, x + 16 + width > innerWidth - 8 ? Math.min(x - 16 - width, innerWidth - 8 - width) : x + 16)}px`;
  tip.style.top = `${Math.max(8, Math.min(y + 16, innerHeight - 8 - height))}px`;
}

// --- drawing --------------------------------------------------------------------------------------------------------

let unfinished = 0;

// Draws charts, and marks the page as drawn when no drawing is unfinished. Screenshots and tests wait for the mark.
async function draw_all(charts) {
  unfinished += 1;
  delete document.documentElement.dataset.drawn;
  await Promise.all(charts.map(draw));
  unfinished -= 1;
  if (!unfinished) document.documentElement.dataset.drawn = "yes";
}

async function draw(chart) {
  const section = document.getElementById(chart.id);
  const data = data_of(chart);
  const nothing = data.rows.every((row) => row.name === "" || row.rate === null) && !(data.gaps ?? []).some((one) => one.gaps);
  section.querySelector(".empty").hidden = !nothing;
  section.querySelector(".chart").hidden = nothing;
  if (!chart.rows) show_totals(chart, section, nothing);
  if (nothing) return;
  if (!views[chart.id]) {
    const spec = { ...figures.specs[chart.kind], datasets: data };
    // A layer without data would have no scale.
    if (chart.rows) spec.layer = spec.layer.filter((layer) => !layer.data || data[layer.data.name].length);
    if (chart.kind === "ranked") spec.height *= data.rows.length;
    if (chart.names?.length) spec.height *= chart.names.length;
    const made = await vegaEmbed(section.querySelector(".chart"), spec, {
      // `ast` interprets expressions: the page's policy forbids the functions that Vega would compile them to.
      mode: "vega-lite", ast: true, renderer: "svg", actions: false, defaultStyle: false,
      tooltip: (_handler, event, _item, key) => {
        // A finger that is lifted leaves the mark, and would close its tooltip at once.
        if (event.pointerType !== "touch") point_at(chart, event, key);
      },
    });
    views[chart.id] = made.view;
    made.view.addEventListener("pointerdown", (event, item) => {
      if (event.pointerType === "touch") point_at(chart, event, item?.tooltip ?? null);
    });
    return;
  }
  if (!chart.rows) for (const [name, rows] of Object.entries(data)) views[chart.id].data(name, rows);
  await views[chart.id].resize().runAsync();
}

function show_totals(chart, section, nothing) {
  const [from, to] = span(chart);
  const shown = section.querySelector(".shown");
  // Days without any letter but gaps have no number, and currencies have no sum.
  const values = lines_of(chart).map((line) => between(line.values, from, to));
  const wholes = chart.kind === "rate" ? lines_of(chart).map((line) => between(line.whole, from, to)) : [];
  const number = /^[- ]*$/.test(chart.states.slice(from, to + 1))
    ? "not archived"
    : figures.mixed && chart.measure === "money"
    ? `amounts in ${figures.unit} have no sum`
    : chart.kind === "rate"
    ? `${percent(sum(values), sum(wholes))} of ${exact(sum(wholes))} input tokens`
    : `${exact(sum(values), chart.measure)} ${chart.measure === "money" ? figures.unit : "tokens"}`;
  shown.replaceChildren(element("b", number), ", ", element("span", `${selected.since} to ${selected.until}`));
  shown.hidden = nothing && !lines_of(chart).length;
  show_chosen(chart, section, from, to);
  if (chart.kind !== "ranked") legend(chart, section, from, to);
}

// --- the table of the chosen days ---------------------------------------------------------------------------------------

const is_whole = () => selected.since === figures.first && selected.until === figures.last;

function months_of(chart, from, to) {
  const months = [];
  for (let i = from; i <= to; i++) {
    const name = iso(utc(chart.begin) + i * DAY).slice(0, 7);
    if (months.at(-1)?.name !== name) months.push({ name, from: i });
    months.at(-1).to = i;
  }
  return months;
}

function cells_of(chart, line, from, to) {
  const value = between(line.values, from, to);
  if (chart.kind !== "rate") return [exact(value, chart.measure)];
  const whole = between(line.whole, from, to);
  return [exact(whole), exact(value), percent(value, whole)];
}

function table_row(cell, texts, numbers) {
  const row = element("tr");
  row.append(...texts.map((text) => element(cell, text, "whole")), ...numbers.map((text) => element(cell, text, "number")));
  return row;
}

// By month and line, as the tables of the page, which are of all its days.
function show_chosen(chart, section, from, to) {
  const before = section.querySelector("details.chosen");
  before?.remove();
  const rows = is_whole() ? [] : months_of(chart, from, to).flatMap((month) => lines_of(chart)
    .filter((line) => between(line.values, month.from, month.to) || (line.whole && between(line.whole, month.from, month.to)))
    .map((line) => table_row("td", [month.name, line.name], cells_of(chart, line, month.from, month.to))));
  if (!rows.length) return;
  const by = facet_of(chart).by.replaceAll("_", " ");
  const title = `Chosen days, by month and ${by}`;
  const measures = { rate: ["input tokens", "of them from the cache", "hit rate"] }[chart.kind]
    ?? [chart.measure === "money" ? figures.unit : "tokens"];
  const table = element("table");
  table.setAttribute("aria-label", title);
  const gaps = chart.states.slice(from, to + 1).split("-").length - 1;
  const note = `${selected.since} to ${selected.until}` + (gaps ? `; ${gaps} of ${to - from + 1} days are not archived` : "");
  table.createCaption().append(element("span", note));
  table.createTHead().append(table_row("th", ["month", by], measures));
  table.createTBody().append(...rows);
  if (chart.kind !== "rate" && !(figures.mixed && chart.measure === "money")) {
    const whole = exact(sum(lines_of(chart).map((line) => between(line.values, from, to))), chart.measure);
    table.createTFoot().append(table_row("td", ["total", ""], [whole]));
  }
  const scroll = element("div", "", "scroll");
  scroll.tabIndex = 0;
  scroll.append(table);
  const details = element("details", "", "chosen");
  details.open = before?.open ?? false;
  details.append(element("summary", title), scroll);
  (section.querySelector("details") ?? section.lastElementChild).before(details);
  document.dispatchEvent(new CustomEvent("table", { detail: table }));
}

function line_sum(chart, line, from, to) {
  const value = between(line.values, from, to);
  if (chart.kind === "rate") return percent(value, between(line.whole, from, to));
  return chart.measure === "money" ? rounded(value) : compact(value).join(" ").trim();
}

function legend(chart, section, from, to) {
  const hidden = hidden_of(chart);
  const list = section.querySelector(".legend");
  // The buttons are made anew, so the one with the keyboard's focus is remembered and focused again below.
  const focused = list.contains(document.activeElement) ? document.activeElement.dataset.line : undefined;
  const buttons = facet_of(chart).lines.map((line) => {
    const button = element("button");
    button.type = "button";
    button.title = "show or hide";
    button.dataset.line = line.name;
    button.setAttribute("aria-pressed", String(!hidden.has(line.name)));
    const name = element("span", line.name, "name");
    button.append(swatch(line.colour), name, element("span", line_sum(chart, line, from, to), "sum"));
    button.addEventListener("click", () => {
      if (!hidden.delete(line.name)) hidden.add(line.name);
      draw_all([chart]);
    });
    return button;
  });
  list.replaceChildren(...buttons.map((button) => {
    const entry = element("li");
    entry.append(button);
    return entry;
  }), ...keys_of(chart, from, to));
  buttons.find((button) => button.dataset.line === focused)?.focus();
}

function key(colour, text) {
  const entry = element("li", "", "key");
  entry.append(swatch(colour), element("span", text, "name"));
  return entry;
}

// What is not a line: days that are not archived, and days that the chart points at.
function keys_of(chart, from, to) {
  const gaps = chart.states.slice(from, to + 1).split("-").length - 1;
  const pointed = (chart.marks ?? []).filter(([day]) => day >= selected.since && day <= selected.until).length;
  const days = (number, text) => `${text}: ${number} ${number === 1 ? "day" : "days"}`;
  return [
    ...(gaps ? [key("#c98a0066", days(gaps, "not archived"))] : []),
    ...(pointed ? [key("#aa3377", days(pointed, "unusual"))] : []),
  ];
}

// --- the figures at the top ---------------------------------------------------------------------------------------------

// Updates the cards of charts, from all lines of a chart: those that are hidden in its legend count too.
function headline() {
  const figure_of = {
    spend: (values) => [figures.mixed ? "\u2013" : rounded(sum(values)), figures.unit],
    tokens: (values) => compact(sum(values)),
    cache: (values, wholes) => [percent(sum(values), sum(wholes)) || "\u2013", ""],
  };
  for (const card of document.querySelectorAll("[data-live]")) {
    const chart = figures.charts.find((one) => one.id === card.dataset.live);
    const [from, to] = span(chart);
    if (/^[- ]*$/.test(chart.states.slice(from, to + 1))) {
      card.querySelector(".figure").textContent = "\u2013";
      card.querySelector(".aside").textContent = `not archived, ${selected.since} to ${selected.until}`;
      continue;
    }
    const lines = chart.facets[0].lines;
    const wholes = chart.kind === "rate" ? lines.map((line) => between(line.whole, from, to)) : [];
    const [number, unit] = figure_of[chart.id](lines.map((line) => between(line.values, from, to)), wholes);
    card.querySelector(".figure").replaceChildren(number + " ", element("span", unit, "unit"));
    const missing = chart.states.slice(from, to + 1).split("-").length - 1;
    const unknown = missing ? `; ${missing} ${missing === 1 ? "day" : "days"} not archived` : "";
    card.querySelector(".aside").textContent = `${selected.since} to ${selected.until}${unknown}`;
  }
}

// --- controls -------------------------------------------------------------------------------------------------------

function render() {
  headline();
  for (const button of document.querySelectorAll("#grain button")) {
    button.setAttribute("aria-pressed", String(button.value === grain()));
  }
  const narrowed = document.getElementById("narrowed");
  if (narrowed) narrowed.hidden = is_whole();
  return draw_all(figures.charts);
}

function select_days(since, until) {
  selected.since = since;
  selected.until = until;
  document.getElementById("since").value = since;
  document.getElementById("until").value = until;
  return render();
}

// Days outside the range of the page become its ends, and reversed ones are swapped.
function select_typed_days() {
  const within = (text, otherwise) => (text >= figures.first && text <= figures.last ? text : otherwise);
  const since = within(document.getElementById("since").value, figures.first);
  const until = within(document.getElementById("until").value, figures.last);
  return since <= until ? select_days(since, until) : select_days(until, since);
}

function prepare_controls() {
  if (!document.getElementById("since")) return; // no days are archived
  for (const name of ["since", "until"]) document.getElementById(name).addEventListener("change", select_typed_days);
  for (const button of document.querySelectorAll("#last button")) {
    button.addEventListener("click", () => {
      const days = Number(button.value);
      const since = days ? iso(utc(figures.last) - (days - 1) * DAY) : figures.first;
      select_days(since < figures.first ? figures.first : since, figures.last);
    });
  }
  for (const button of document.querySelectorAll("#grain button")) {
    button.addEventListener("click", () => {
      selected.grain = button.value;
      render();
    });
  }
}

function prepare_facets(chart) {
  const choice = document.getElementById(chart.id).querySelector(".choice");
  if (!choice || chart.facets.length < 2) return;
  choice.replaceChildren(...chart.facets.map((facet, number) => {
    const button = element("button", facet.by.replaceAll("_", " "));
    button.type = "button";
    button.setAttribute("aria-pressed", String(number === 0));
    button.addEventListener("click", () => {
      selected.facet[chart.id] = number;
      choice.querySelectorAll("button").forEach((one) => one.setAttribute("aria-pressed", String(one === button)));
      draw_all([chart]);
    });
    return button;
  }));
}

function prepare_theme() {
  const button = document.getElementById("theme");
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const is_dark = () => (document.documentElement.dataset.theme ?? (dark.matches ? "dark" : "light")) === "dark";
  const name = () => { button.textContent = is_dark() ? "Light" : "Dark"; };
  button.addEventListener("click", () => {
    document.documentElement.dataset.theme = is_dark() ? "light" : "dark";
    name();
  });
  dark.addEventListener("change", name);
  name();
}

// The tables of a page with several charts are closed at first, but all are printed.
function prepare_tables() {
  const tables = [...document.querySelectorAll("section details")];
  let opened = [];
  if (figures.charts.length > 1) for (const one of tables) one.open = false;
  addEventListener("beforeprint", () => {
    opened = tables.filter((one) => !one.open);
    for (const one of opened) one.open = true;
  });
  addEventListener("afterprint", () => { for (const one of opened) one.open = false; });
}

async function start() {
  prepare_tables();
  prepare_theme();
  document.querySelectorAll(".needs-script").forEach((one) => { one.hidden = false; });
  if (figures.charts.length) {
    prepare_controls();
    for (const chart of figures.charts) {
      if (chart.rows) {
        const list = document.getElementById(chart.id).querySelector(".legend");
        list.replaceChildren(...chart.legend.map(([text, colour]) => key(colour, text)));
      } else prepare_facets(chart);
    }
    addEventListener("scroll", () => { tip.hidden = true; }, { passive: true });
    document.addEventListener("pointerdown", (event) => {
      if (!event.target.closest(".chart")) tip.hidden = true;
    });
    await render();
  } else {
    document.documentElement.dataset.drawn = "yes";
  }
}

await start();
