(() => {
  // What a reader with low vision, a screen reader or a keyboard alone would stumble over.
  const faults = [];
  const say = (rule, element, words = "") => {
    const text = (element.textContent || "").trim().replace(/\s+/g, " ").slice(0, 40);
    faults.push(`${rule}: <${element.tagName.toLowerCase()}${element.className && element.className.baseVal === undefined ? "." + element.className : ""}> ${text} ${words}`.trim());
  };
  const all = (words, inside = document) => [...inside.querySelectorAll(words)];
  const shown = (element) => element.checkVisibility({ visibilityProperty: true, opacityProperty: true }) && element.getClientRects().length > 0;

  // Contrast of every text with what lies behind it (WCAG 1.4.3: 4.5, of large text 3).
  const parse = (text) => {
    const parts = text.match(/[\d.]+/g).map(Number);
    return { rgb: parts.slice(0, 3), alpha: parts.length > 3 ? parts[3] : 1 };
  };
  const over = (top, bottom) => top.rgb.map((part, i) => part * top.alpha + bottom[i] * (1 - top.alpha));
  const luminance = (rgb) => rgb.map((part) => part / 255).map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)).reduce((sum, part, i) => sum + part * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (element) => {
    const layers = [];
    for (let at = element; at; at = at.parentElement) {
      const layer = parse(getComputedStyle(at).backgroundColor);
      layers.push(layer);
      if (layer.alpha === 1) break;
    }
    return layers.reverse().reduce((under, layer) => over(layer, under), [255, 255, 255]);
  };
  const faded = (element) => { let all = 1; for (let at = element; at; at = at.parentElement) all *= Number(getComputedStyle(at).opacity); return all; };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  let texts = 0;
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.textContent.trim() || !element || ["SCRIPT", "STYLE", "TEXTAREA"].includes(element.tagName) || !shown(element)) continue;
    texts += 1;
    const style = getComputedStyle(element), ground = behind(element);
    const ink = parse(style.color);
    ink.alpha *= faded(element);
    const [light, dark] = [luminance(over(ink, ground)), luminance(ground)].sort((a, b) => b - a);
    const ratio = (light + 0.05) / (dark + 0.05);
    const size = parseFloat(style.fontSize), bold = Number(style.fontWeight) >= 700;
    const least = size >= 24 || (bold && size >= 18.66) ? 3 : 4.5;
    if (ratio < least) say("contrast", element, ratio.toFixed(2));
  }

  // Landmarks: one main, one banner, all content in one of them, each with a name of its own.
  if (all("main").length !== 1) faults.push("landmark: not one main");
  const kinds = { NAV: "navigation", MAIN: "main", ASIDE: "complementary", SECTION: "region" };
  const named = (element) => {
    const by = element.getAttribute("aria-labelledby");
    return (element.getAttribute("aria-label") || (by && document.getElementById(by)?.textContent) || "").trim();
  };
  const seen = new Set();
  all("nav, aside, main, section[aria-label], section[aria-labelledby], [role=region]").filter(shown).forEach((element) => {
    const key = `${kinds[element.tagName] || "region"}: ${named(element)}`;
    if (seen.has(key)) say("landmark: twice", element, key);
    seen.add(key);
    if (element.tagName === "NAV" && !named(element)) say("landmark: no name", element);
    if (element.getAttribute("role") === "region" && !named(element)) say("landmark: no name", element);
    const by = element.getAttribute("aria-labelledby");
    if (by && !document.getElementById(by)) say("landmark: name not there", element);
  });
  const landmarks = "main, nav, body > header, body > footer, aside, a.skip";
  [...document.body.children].filter((child) => !child.matches("script, style, header, footer, .skip")).forEach((child) => {
    const inside = [...child.children];
    if (!child.matches(landmarks) && !(inside.length && inside.every((inner) => inner.matches(landmarks)))) say("landmark: outside of all", child);
  });

  // Headings: one of the first level, no level skipped, none empty.
  const heads = all("h1, h2, h3, h4, h5, h6").filter(shown);
  if (heads.filter((head) => head.tagName === "H1").length !== 1) faults.push("heading: not one h1");
  heads.forEach((head, i) => {
    if (!head.textContent.trim()) say("heading: empty", head);
    const level = Number(head.tagName[1]), before = i ? Number(heads[i - 1].tagName[1]) : 1;
    if (level > before + 1) say("heading: level skipped", head, `${before} to ${level}`);
  });

  // Tables: every head has words, rows and columns are named as such.
  all("th").forEach((head) => { if (!head.textContent.trim()) say("table: empty head", head); });
  all("figure.table table").forEach((table) => {
    if (!all("thead th", table).every((head) => head.scope === "col")) say("table: head without scope", table);
  });

  // Names of what can be used or looked at, and boxes that scroll.
  all("img").forEach((image) => { if (!image.hasAttribute("alt")) say("picture: no alternative text", image, image.src.slice(0, 30)); });
  all("button, a[href], summary").filter(shown).forEach((element) => {
    if (!(named(element) || element.textContent.trim() || all("img[alt]", element).length)) say("control: no name", element);
  });
  all("select, input, textarea").filter(shown).forEach((element) => { if (!(named(element) || element.labels?.length)) say("control: no label", element); });
  all("canvas").forEach((element) => { if (element.getAttribute("role") !== "img" || !named(element)) say("picture: canvas without a name", element); });
  all("*").filter((element) => element.scrollWidth > element.clientWidth + 1 && ["auto", "scroll"].includes(getComputedStyle(element).overflowX) && shown(element)).forEach((element) => {
    if (element.tabIndex < 0 && !all("a[href], button, [tabindex='0']", element).length) say("scrolling box: not reached by keys", element);
  });

  // The document itself.
  if (!document.documentElement.lang) faults.push("document: no language");
  if (!document.title.trim()) faults.push("document: no title");
  const ids = all("[id]").map((element) => element.id);
  [...new Set(ids.filter((id, i) => ids.indexOf(id) !== i))].forEach((id) => faults.push(`document: id twice: ${id}`));
  all("ul, ol").forEach((list) => { if ([...list.children].some((item) => !["LI", "SCRIPT"].includes(item.tagName))) say("list: holds something else", list); });
  all("[aria-label]").forEach((element) => { if (["DIV", "SPAN"].includes(element.tagName) && !element.getAttribute("role")) say("name on an element without a role", element); });
  return { faults, texts };
})()
