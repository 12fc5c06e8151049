import { execFile } from "node:child_process";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, extname, join, normalize } from "node:path";
import { promisify } from "node:util";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type SmallServer, startSmallServer } from "../examples/example-world.js";
import { openUrl, startChromium } from "../support/browser.js";
import { findProgram, leaveOut } from "../support/program.js";
import { ROOT } from "../support/sources.js";

let site: string;
/** Serves the site: a browser treats each file of a folder as a separate origin. */
let server: SmallServer;

beforeAll(async () => {
  site = await mkdtemp(join(tmpdir(), "site-"));
  const typedoc = join(ROOT, "node_modules/typedoc/bin/typedoc");
  // TypeDoc fails for a warning: an undocumented export, or a broken link.
  await promisify(execFile)(process.execPath, [typedoc, "--out", site], { cwd: ROOT });
  server = await startSmallServer(({ url = "/" }, response) => {
    const file = join(site, normalize(new URL(url, "http://localhost").pathname));
    const type = TYPES[extname(file)];
    if (type === undefined || !existsSync(file)) response.writeHead(404).end();
    else response.setHeader("content-type", type).end(readFileSync(file));
  });
}, 180_000);

afterAll(async () => {
  await server?.[Symbol.asyncDispose]();
  await rm(site, { recursive: true, force: true });
});

const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".css": "text/css",
  ".svg": "image/svg+xml",
};

const pages = () =>
  readdirSync(site, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".html"));

describe("the documentation site", () => {
  test("contains every subpath, every guide and the changelog", () => {
    const all = pages();
    for (const guide of readdirSync(join(ROOT, "docs"))) {
      expect(all).toContain(`guides/${guide.replace(/\.md$/, ".html")}`);
    }
    expect(all).toContain("guides/changelog.html");
    expect(all.filter((name) => name.startsWith("modules/"))).toHaveLength(7);
  });

  test("has no broken link and no missing anchor", () => {
    const ids = new Map(pages().map((page) => [page, idsOf(page)]));
    const broken = [...ids.keys()].flatMap((page) =>
      linksOf(page).filter((link) => {
        const [path = "", anchor = ""] = link.split("#");
        const target = path === "" ? page : normalize(join(dirname(page), decodeURI(path)));
        if (!existsSync(join(site, target)) || statSync(join(site, target)).isDirectory())
          return true;
        return anchor !== "" && !(ids.get(target)?.has(decodeURIComponent(anchor)) ?? true);
      }),
    );
    expect(broken).toEqual([]);
  });
});

const readSite = (page: string) => readFileSync(join(site, page), "utf8");

function idsOf(page: string): Set<string> {
  return new Set([...readSite(page).matchAll(/\bid="([^"]+)"/g)].map(([, id = ""]) => id));
}

function linksOf(page: string): string[] {
  const links = [...readSite(page).matchAll(/\b(?:href|src)="([^"]+)"/g)].map(([, to = ""]) => to);
  return links.filter((link) => !/^(?:https?:|data:|#$)/.test(link));
}

const executable = findProgram("chromium");
if (executable === undefined) {
  leaveOut("the documentation site in a browser", "chromium");
} else {
  describe("the documentation site in a browser", { timeout: 60_000 }, () => testWith(executable));
}

function testWith(executablePath: string): void {
  let browser: Browser;

  beforeAll(async () => {
    browser = await startChromium(executablePath);
  }, 60_000);

  afterAll(async () => {
    await browser?.close();
  });

  const PLACES = [
    "index.html",
    "guides/failures.html",
    "guides/troubleshooting.html",
    "guides/options.html",
    "guides/comparison.html",
    "functions/resilient-sts.fromTokenFile.html",
    "modules/resilient-sts_testing.html",
  ];

  test.each(PLACES)(
    "%s fits the width of a phone, requests nothing from other servers and logs no error",
    async (place) => {
      await using opened = await open(place, 360);
      const { page, incidents } = opened;
      // A string, because the types of the tests have no `document`.
      const { width, room } = await page.evaluate<Record<"width" | "room", number>>(
        "({ width: document.documentElement.scrollWidth, room: document.documentElement.clientWidth })",
      );
      expect(width).toBeLessThanOrEqual(room);
      expect(incidents).toEqual([]);
    },
  );

  test.each([
    ["ERR_THROTTLED", "guides/failures.html"],
    ["jwks-key-not-found", "guides/findings.html"],
    ["fromTokenFile", "functions/resilient-sts.fromTokenFile.html"],
  ])("a search for %s finds %s", async (words, place) => {
    await using opened = await open("index.html", 1280);
    const { page, incidents } = opened;
    await page.keyboard.press("/");
    await page.locator("#tsd-search-input").fill(words);
    const links = page.locator("#tsd-search-results a");
    await links.first().waitFor();
    const found = await page.evaluate<string[]>(
      "[...document.querySelectorAll('#tsd-search-results a')].map((each) => each.href)",
    );
    expect(found.map((url) => url.split("#")[0]?.slice(server.url.length + 1))).toContain(place);
    expect(incidents).toEqual([]);
  });

  const open = (place: string, width: number) =>
    openUrl(browser, {
      url: `${server.url}/${place}`,
      origin: server.url,
      context: { viewport: { width, height: 800 } },
    });
}
