import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import type { AxeResults, RunOptions } from "axe-core";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { htmlReport } from "../../../src/cli/html/html-report.js";
import { startChromium } from "../../support/browser.js";
import { findProgram, leaveOut } from "../../support/program.js";
import { sampleDiagnosis } from "../sample-diagnosis.js";
import { type OpenedPage, openPage } from "./opened-page.js";
import {
  background,
  focused,
  headingLevels,
  lowContrast,
  movements,
  stickingOut,
  vocabulary,
} from "./page-probes.js";
import { poisoned, REPORTS } from "./reports.js";

interface View {
  readonly width: number;
  readonly colorScheme: "light" | "dark";
}

const WIDTHS = [1280, 360] as const;
const VIEWS: readonly View[] = WIDTHS.flatMap((width) => [
  { width, colorScheme: "light" as const },
  { width, colorScheme: "dark" as const },
]);
/** Between the usual margins, in CSS pixels. */
const A4_WIDTH = 718;

const AXE_SOURCE = readFileSync(createRequire(import.meta.url).resolve("axe-core"), "utf8");
const AXE_RUN = {
  runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
  resultTypes: ["violations"],
  // `lowContrast` checks drawings too, and in every view.
  rules: { "color-contrast": { enabled: false } },
} satisfies RunOptions;

const TAGS =
  "body br caption code dd div dl dt footer h1 h2 h3 head header html li line main meta ol p path rect section span strong style svg table tbody td text th thead time title tr ul".split(
    " ",
  );
const ATTRIBUTES =
  "aria-hidden aria-label charset class content data-label datetime d focusable height http-equiv lang name overflow role scope text-anchor viewBox width x x1 x2 y y1 y2".split(
    " ",
  );

const executable = findProgram("chromium");
if (executable === undefined) {
  leaveOut("the page in a browser", "chromium");
} else {
  describe("in a browser", { timeout: 60_000 }, () => testPages(executable));
}

function testPages(executablePath: string): void {
  let browser: Browser;

  beforeAll(async () => {
    browser = await startChromium(executablePath);
  }, 60_000);

  afterAll(async () => {
    await browser?.close();
  });

  describe.each(Object.entries(REPORTS))("the page of %s", (_name, write) => {
    let opened: OpenedPage;
    let page: Page;

    beforeAll(async () => {
      opened = await openPage(browser, await write());
      page = opened.page;
    }, 60_000);

    afterAll(async () => {
      await opened?.[Symbol.asyncDispose]();
    });

    test.each(VIEWS)(
      "fits the screen with enough contrast at $width pixels, $colorScheme",
      async (view) => {
        await show(page, view);
        expect(await page.evaluate(stickingOut)).toEqual([]);
        expect(await page.evaluate(lowContrast)).toEqual([]);
      },
    );

    test.each(WIDTHS)("passes axe at %i pixels", async (width) => {
      await show(page, { width, colorScheme: "light" });
      await page.evaluate(AXE_SOURCE);
      const run = `axe.run(document, ${JSON.stringify(AXE_RUN)})`;
      const { violations } = await page.evaluate<AxeResults>(run);
      const found = violations.map(({ id, nodes }) => `${id}: ${nodes[0]?.html}`);
      expect(found).toEqual([]);
    });

    test("consists only of text, tables and drawings", async () => {
      const { tags, attributes } = await page.evaluate(vocabulary);
      expect(tags.filter((tag) => !TAGS.includes(tag))).toEqual([]);
      expect(attributes.filter((attribute) => !ATTRIBUTES.includes(attribute))).toEqual([]);
    });

    test("has one heading of the first level, and skips no level below it", async () => {
      const [first, ...rest] = await page.evaluate(headingLevels);
      expect(first).toBe(1);
      expect(rest.every((level, at) => level >= 2 && level <= (rest[at - 1] ?? 1) + 1)).toBe(true);
    });

    test("has tables for a screen reader, at the width of a phone too", async () => {
      const counts: number[][] = [];
      for (const width of WIDTHS) {
        await show(page, { width, colorScheme: "light" });
        counts.push(await opened.countRoles(["table", "row", "columnheader", "rowheader", "cell"]));
      }
      expect(Math.min(...(counts[0] ?? []))).toBeGreaterThan(1);
      expect(counts[1]).toEqual(counts[0]);
    });

    test("has nothing that takes the keyboard focus", async () => {
      await show(page, { width: 360, colorScheme: "light" });
      await page.keyboard.press("Tab");
      expect(await page.evaluate(focused)).toBe("BODY");
    });

    test("has no animations or transitions", async () => {
      expect(await page.evaluate(movements)).toEqual([]);
    });

    test("is printed on white, whatever the color scheme of the screen is", async () => {
      await show(page, { width: A4_WIDTH, colorScheme: "dark" });
      await page.emulateMedia({ media: "print" });
      const pdf = await page.pdf({ format: "A4" });
      expect(pdf.subarray(0, 5).toString()).toBe("%PDF-");
      expect(await page.evaluate(background)).toBe("rgb(255, 255, 255)");
      expect(await page.evaluate(lowContrast)).toEqual([]);
      expect(await page.evaluate(stickingOut)).toEqual([]);
    });

    test("requests nothing, runs nothing and leaves the console empty", () => {
      expect(opened.incidents).toEqual([]);
    });
  });

  test("shows hostile text literally", async () => {
    await using opened = await openPage(browser, htmlReport(poisoned(sampleDiagnosis())));
    const heading = await opened.page.locator("h1").textContent();
    expect(heading).toContain('<script>alert("1")</script>');
  });

  test("blocks an injected script and image, and reports both in the console", async () => {
    const intruders = "<script>alert(1)</script><img src=x onerror=alert(1)>";
    const html = htmlReport(sampleDiagnosis()).replace("</main>", `${intruders}</main>`);
    await using opened = await openPage(browser, html);
    const { incidents } = opened;
    expect(incidents).toContainEqual(expect.stringMatching(/^request: .*\/x$/));
    expect(incidents).toContainEqual(expect.stringMatching(/^console: .*inline script/));
    expect(incidents).toContainEqual(expect.stringMatching(/^console: .*image/));
    expect(incidents.filter((one) => /^(?:dialog|error): /.test(one))).toEqual([]);
  });
}

async function show(page: Page, { width, colorScheme }: View): Promise<void> {
  await page.setViewportSize({ width, height: 800 });
  await page.emulateMedia({ media: "screen", colorScheme });
}
