"use strict";
// Everything on the page stands in its HTML; this only sorts and filters tables, copies commands and says what scrolls.

const textOf = (row, column) => {
  const cell = row.cells[column];
  return cell === undefined ? "" : cell.dataset.sort ?? cell.textContent.trim();
};

const NUMBER = /^(?:✗ )?(-?(?:inf|[\d,]*\.?\d+(?:e[+-]?\d+)?)|nan)/;
const numberIn = (text) => {
  const found = NUMBER.exec(text);
  return found === null ? null : Number(found[1].replaceAll(",", "").replace("inf", "Infinity"));
};

// Texts by letter before the numbers by size; NaN is worse than any number and comes last.
const rank = (value) => (value === null ? 0 : Number.isNaN(value) ? 2 : 1);
const compare = (a, b) => {
  const [x, y] = [numberIn(a), numberIn(b)];
  if (rank(x) !== rank(y)) {
    return rank(x) - rank(y);
  }
  return x === null ? a.localeCompare(b, "en", { numeric: true }) : x === y ? 0 : x - y;
};

const sortBy = (table, heading) => {
  const ascending = heading.getAttribute("aria-sort") !== "ascending";
  for (const other of heading.parentElement.cells) {
    other.removeAttribute("aria-sort");
  }
  heading.setAttribute("aria-sort", ascending ? "ascending" : "descending");
  const column = heading.cellIndex;
  const numeric = heading.classList.contains("number");
  const order = numeric ? compare : (a, b) => a.localeCompare(b, "en", { numeric: true });
  const body = table.tBodies[0];
  const rows = [...body.rows].sort((a, b) => (ascending ? 1 : -1) * order(textOf(a, column), textOf(b, column)));
  body.append(...rows);
};

const makeSortable = (table) => {
  if (table.tBodies[0].rows.length < 2) {
    return;
  }
  for (const heading of table.tHead.rows[0].cells) {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...heading.childNodes);
    button.addEventListener("click", () => sortBy(table, heading));
    heading.append(button);
  }
};

const makeFilterable = (table) => {
  if (table.tBodies[0].rows.length < 2) {
    return;
  }
  const label = document.createElement("label");
  const input = document.createElement("input");
  const shown = document.createElement("span");
  label.className = "filter";
  shown.setAttribute("role", "status");
  input.type = "search";
  input.addEventListener("input", () => {
    const wanted = input.value.toLowerCase();
    const rows = [...table.tBodies[0].rows];
    for (const row of rows) {
      row.hidden = !row.textContent.toLowerCase().includes(wanted);
    }
    shown.textContent = wanted === "" ? "" : `${rows.filter((row) => !row.hidden).length} of ${rows.length}`;
  });
  label.append("Filter rows", input, shown);
  table.parentElement.before(label);
};

const select = (element) => {
  const range = document.createRange();
  range.selectNodeContents(element);
  getSelection().removeAllRanges();
  getSelection().addRange(range);
};

// Where the clipboard is closed to the page the command is selected instead, ready to be copied by hand.
const makeCopyable = (command) => {
  const button = document.createElement("button");
  const code = command.querySelector("code");
  button.type = "button";
  button.className = "copy";
  button.textContent = "Copy";
  button.setAttribute("aria-live", "polite");
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(code.textContent);
      button.textContent = "Copied";
    } catch {
      select(code);
      button.textContent = "Selected";
    }
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  });
  command.append(button);
};

// Scrollbars may be hidden until they are touched, so a region wider than its place says so below it.
const hintAtScroll = (region) => {
  const hint = document.createElement("p");
  hint.className = "scroll-hint muted";
  hint.textContent = "scrolls sideways →";
  hint.setAttribute("aria-hidden", "true");
  hint.hidden = true;
  region.after(hint);
  new ResizeObserver(() => { hint.hidden = region.scrollWidth <= region.clientWidth; }).observe(region);
};

document.querySelectorAll(".scroll").forEach(hintAtScroll);
document.querySelectorAll("table.sortable").forEach(makeSortable);
document.querySelectorAll("table.filterable").forEach(makeFilterable);
document.querySelectorAll(".command").forEach(makeCopyable);
addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((item) => { item.open = true; }));
