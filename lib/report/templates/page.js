const all = (words, inside = document) => [...inside.querySelectorAll(words)];
const made = (kind, text, style) => {
  const element = document.createElement(kind);
  if (kind === "button") element.type = "button";
  element.textContent = text;
  element.className = style;
  return element;
};
document.documentElement.classList.add("js");

// All code at once.
const button = document.querySelector("button.unfold");
if (button) {
  button.hidden = false;
  button.addEventListener("click", () => {
    const open = button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", open);
    button.textContent = open ? "Hide all code" : "Show all code";
    all("details.code").forEach((fold) => { fold.open = open; });
  });
}

// The page's place in the study, and the section's in the page.
const here = document.querySelector(".stages [aria-current]");
if (here) here.closest(".bar").scrollLeft = here.offsetLeft - 24;
const contents = document.querySelector("nav.contents");
if (contents) {
  const opener = contents.querySelector("button");
  const open = (is) => {
    contents.classList.toggle("open", is);
    opener.setAttribute("aria-expanded", is);
  };
  opener.addEventListener("click", () => open(!contents.classList.contains("open")));
  const links = all("a", contents);
  links.forEach((link) => link.addEventListener("click", () => open(false)));
  const heads = links.map((link) => document.getElementById(decodeURIComponent(link.hash.slice(1))));
  const mark = () => {
    let at = 0;
    heads.forEach((head, i) => { if (head && head.getBoundingClientRect().top < 120) at = i; });
    links.forEach((link, i) => {
      if (i === at) link.setAttribute("aria-current", "true"); else link.removeAttribute("aria-current");
    });
  };
  document.addEventListener("scroll", mark, { passive: true });
  mark();
}

// Tables: sort by a column, copy as CSV, show the rows that are folded.
const number = (cell) => {
  const value = parseFloat((cell.dataset.v || "").split("|")[0]);
  return Number.isNaN(value) ? null : value;
};
const fold = (table, first) => [...table.tBodies[0].rows].forEach((row, i) => {
  row.classList.toggle("more", first > 0 && i >= first);
});
const sort = (table, column, down, first) => {
  const rows = [...table.tBodies[0].rows];
  const key = (row) => number(row.cells[column]) ?? row.cells[column].textContent.trim();
  rows.sort((a, b) => {
    const one = key(a), other = key(b);
    if (typeof one !== typeof other) return typeof one === "number" ? -1 : 1;
    const order = typeof one === "number" ? one - other : one.localeCompare(other);
    return down ? -order : order;
  });
  table.tBodies[0].append(...rows);
  if (first.count) fold(table, first.count);
};
const quoted = (text) => (/[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
const csv = (table) => {
  const heads = [...table.tHead.rows[0].cells];
  const keys = heads.map((head) => (head.dataset.k || head.textContent).split("|"));
  const lines = [keys.flat()];
  [...table.tBodies[0].rows].forEach((row) => {
    lines.push([...row.cells].flatMap((cell, i) => {
      const named = cell.querySelector("[title]");
      const values = cell.dataset.v === undefined ? [named ? named.title : cell.textContent.trim()] : cell.dataset.v.split("|");
      return keys[i].map((_, k) => values[k] ?? "");
    }));
  });
  return lines.map((line) => line.map(quoted).join(",")).join("\n") + "\n";
};
const copy = async (text) => {
  try { await navigator.clipboard.writeText(text); return; } catch { /* no permission from a file */ }
  const area = made("textarea", text, "");
  document.body.append(area);
  area.select();
  document.execCommand("copy");
  area.remove();
};
all("figure.table").forEach((figure) => {
  const table = figure.querySelector("table");
  if (!table || !table.tBodies.length || !table.tHead) return;
  const hidden = all("tr.more", table).length, rows = table.tBodies[0].rows.length;
  const first = { count: hidden ? rows - hidden : 0 };
  if (rows > 1) {
    [...table.tHead.rows[0].cells].forEach((head, column) => {
      const sorter = made("button", head.textContent, "sort");
      head.replaceChildren(sorter);
      sorter.addEventListener("click", () => {
        const down = head.getAttribute("aria-sort") === "ascending";
        all("th[aria-sort]", table).forEach((other) => other.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        sort(table, column, down, first);
      });
    });
  }
  const tools = made("p", "", "tools");
  if (hidden) {
    const more = made("button", `Show all ${rows} rows`, "more-rows");
    more.addEventListener("click", () => {
      first.count = first.count ? 0 : rows - hidden;
      fold(table, first.count);
      more.textContent = first.count ? `Show all ${rows} rows` : `Show ${first.count || rows - hidden} rows`;
    });
    tools.append(more);
  }
  const copier = made("button", "Copy as CSV", "copy");
  copier.addEventListener("click", async () => {
    await copy(csv(table));
    copier.textContent = "Copied";
    setTimeout(() => { copier.textContent = "Copy as CSV"; }, 1500);
  });
  const link = made("a", "Link to this table", "anchor");
  link.href = `#${figure.id}`;
  tools.append(copier, link);
  table.closest(".scroll").after(tools);
});

// A chart that is wider than its box is scrolled by keys too.
const reach = () => all("figure.plot").forEach((figure) => {
  if (figure.scrollWidth > figure.clientWidth + 1) figure.tabIndex = 0; else figure.removeAttribute("tabindex");
});
addEventListener("resize", reach);
addEventListener("load", reach);
document.addEventListener("toggle", reach, true);
reach();

// A link into a fold opens it.
const unfold = () => {
  const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (!target) return;
  all("details", target).forEach((details) => { if (!details.classList.contains("code")) details.open = true; });
  for (let at = target; at; at = at.parentElement) if (at.tagName === "DETAILS") at.open = true;
  target.scrollIntoView();
};
addEventListener("hashchange", unfold);
unfold();
