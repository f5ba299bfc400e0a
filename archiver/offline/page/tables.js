// Tables: sort by a column, filter lines, copy, and download as CSV. Every number is as exact as the page has it.
const number_of = (text) => Number(text.replaceAll(",", "").replace("%", ""));

function sorted_rows(table, column, descending) {
  const is_number = table.tHead.rows[0].cells[column].classList.contains("number");
  const key = (row) => row.cells[column].textContent;
  const compare = is_number
    ? (a, b) => (key(a) === "") - (key(b) === "") || number_of(key(a)) - number_of(key(b))
    : (a, b) => key(a).localeCompare(key(b));
  const rows = [...table.tBodies[0].rows].sort(compare);
  return descending ? rows.reverse() : rows;
}

function prepare_sorting(table) {
  [...table.tHead.rows[0].cells].forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "sort";
    button.textContent = head.textContent;
    head.replaceChildren(button);
    button.addEventListener("click", () => {
      const descending = head.ariaSort === "ascending" || (!head.ariaSort && head.classList.contains("number"));
      for (const other of table.tHead.rows[0].cells) other.ariaSort = null;
      head.ariaSort = descending ? "descending" : "ascending";
      table.tBodies[0].replaceChildren(...sorted_rows(table, column, descending));
    });
  });
}

const texts_of = (parts) => parts.filter((part) => part && !part.hidden)
  .flatMap((part) => [...part.rows]).filter((row) => !row.hidden)
  .map((row) => [...row.cells].map((cell) => cell.textContent.trim()));

// As in the CSV files of the program: a text that a spreadsheet would run gets an apostrophe in front.
const inert = (text) => (/^\s*[=+\-@]/.test(text) && !/^-?[0-9][0-9,]*(\.[0-9]+)?%?$/.test(text) ? `'${text}` : text);
const quoted = (text) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
const plain = (text) => (/^-?[0-9][0-9,]*(\.[0-9]+)?$/.test(text) ? text.replaceAll(",", "") : text);
// A file has no total, so that its columns can be added up, as files of the program.
const as_csv = (table) => texts_of([table.tHead, ...table.tBodies])
  .map((row) => row.map((text) => quoted(plain(inert(text)))).join(",")).join("\n") + "\n";
const as_tsv = (table) => texts_of([table.tHead, ...table.tBodies, table.tFoot])
  .map((row) => row.map(inert).join("\t")).join("\n");

function tool(text, act) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = text;
  button.addEventListener("click", () => act(button));
  return button;
}

function prepare_tools(table) {
  const name = table.getAttribute("aria-label");
  const filter = document.createElement("input");
  filter.type = "search";
  filter.placeholder = "Filter lines";
  filter.setAttribute("aria-label", `Filter lines of ${name}`);
  filter.addEventListener("input", () => {
    const wanted = filter.value.toLowerCase();
    for (const row of table.tBodies[0].rows) row.hidden = !row.textContent.toLowerCase().includes(wanted);
    // A total of all lines would be wrong below some of them.
    if (table.tFoot) table.tFoot.hidden = wanted !== "";
  });
  const copy = tool("Copy", async (button) => {
    try {
      await navigator.clipboard.writeText(as_tsv(table));
      button.textContent = "Copied";
    } catch {
      button.textContent = "Not allowed";
    }
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  });
  const download = tool("CSV", () => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([as_csv(table)], { type: "text/csv" }));
    link.download = `${name.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-")}.csv`;
    link.click();
    URL.revokeObjectURL(link.href);
  });
  const tools = document.createElement("div");
  tools.className = "tools";
  tools.append(filter, copy, download);
  table.closest(".scroll").before(tools);
}

function prepare(table) {
  if (table.tBodies[0].rows.length < 2) return;
  prepare_sorting(table);
  prepare_tools(table);
}

document.querySelectorAll("section .scroll table").forEach(prepare);
document.addEventListener("table", (event) => prepare(event.detail)); // one that was made later
