// Copies what the pages need of nhsuk-frontend into dist, where the Go program
// embeds it. `npm ci` runs it.
//
// Two things are taken off on the way. The @font-face rules: Frutiger is not ours
// to ship, and its address would tell another host who looks at which page. The
// source map lines: the maps are not served. Anything else that would make a
// browser ask another host fails the copy, so an upgrade cannot bring it in.
// The icons and images that bear the NHS letters are trade marks: only the icons
// that the style itself uses are copied.
import { copyFile, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const from = join(here, "node_modules", "nhsuk-frontend", "dist", "nhsuk");
const to = join(here, "dist");
const svgNamespace = "http://www.w3.org/2000/svg"; // a name, which nothing fetches

function refuseAddresses(name, text) {
  const outside = text.replaceAll(svgNamespace, "").match(/(https?:)?\/\/[a-z0-9-]+(\.[a-z0-9-]+)+/gi);
  if (outside) throw new Error(`${name}: wanted no outside address, got ${[...new Set(outside)].join(" ")}`);
  return text;
}

function take(text, pattern, wanted, what) {
  const found = text.match(pattern)?.length ?? 0;
  if (found !== wanted) throw new Error(`${what}: wanted ${wanted}, got ${found}`);
  return text.replace(pattern, "");
}

async function clear() {
  await mkdir(to, { recursive: true });
  const old = (await readdir(to)).filter((name) => name !== ".gitignore");
  await Promise.all(old.map((name) => rm(join(to, name), { recursive: true })));
  await mkdir(join(to, "images"));
}

async function style() {
  let css = await readFile(join(from, "nhsuk-frontend.min.css"), "utf8");
  css = take(css, /@font-face\s*\{[^}]*\}/g, 2, "@font-face rules");
  css = take(css, /\/\*# sourceMappingURL=[^*]*\*\//g, 1, "source map lines of the style");
  const icons = new Set();
  css = css.replace(/\/assets\/images\/([a-z0-9-]+\.svg)/g, (_, icon) => {
    icons.add(icon);
    return `images/${icon}`; // beside the style, wherever that is served
  });
  await writeFile(join(to, "nhsuk.css"), refuseAddresses("nhsuk.css", css));
  return icons;
}

async function script() {
  let js = await readFile(join(from, "nhsuk-frontend.min.js"), "utf8");
  js = take(js, /\/\/# sourceMappingURL=\S*/g, 1, "source map lines of the script");
  await writeFile(join(to, "nhsuk.js"), refuseAddresses("nhsuk.js", js));
}

async function icon(name) {
  const path = join(from, "assets", "images", name);
  refuseAddresses(name, await readFile(path, "utf8"));
  await copyFile(path, join(to, "images", name));
}

await clear();
const icons = await style();
await Promise.all([script(), ...[...icons].map(icon)]);
