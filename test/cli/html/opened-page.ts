import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Browser, Page } from "playwright-core";

/** A report as a browser shows it, and what happened there. */
export interface OpenedPage extends AsyncDisposable {
  readonly page: Page;
  /** Requests other than the one for the page, messages in the console, dialogs and errors. */
  readonly incidents: readonly string[];
  /** How many elements of each role a screen reader finds. */
  countRoles(roles: readonly string[]): Promise<number[]>;
}

/** Opens a report from a file in a browser without a network. */
export async function openPage(browser: Browser, html: string): Promise<OpenedPage> {
  const folder = await mkdtemp(join(tmpdir(), "report-"));
  const file = join(folder, "report.html");
  await writeFile(file, html);
  const url = pathToFileURL(file).href;
  const context = await browser.newContext({ offline: true });
  const page = await context.newPage();
  const incidents: string[] = [];
  page.on("request", (request) => {
    if (request.url() !== url) incidents.push(`request: ${request.url()}`);
  });
  page.on("console", (message) => incidents.push(`console: ${message.text()}`));
  page.on("pageerror", (error) => incidents.push(`error: ${error.message}`));
  page.on("dialog", (dialog) => {
    incidents.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  await page.goto(url);
  const devtools = await context.newCDPSession(page);
  return {
    page,
    incidents,
    async countRoles(roles) {
      const { nodes } = await devtools.send("Accessibility.getFullAXTree");
      const heard = nodes.filter(({ ignored }) => !ignored).map(({ role }) => role?.value);
      return roles.map((role) => heard.filter((one) => one === role).length);
    },
    async [Symbol.asyncDispose]() {
      await context.close();
      await rm(folder, { recursive: true });
    },
  };
}
