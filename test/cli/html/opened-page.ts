import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Browser } from "playwright-core";
import { openUrl, type WatchedPage } from "../../support/browser.js";

/** A report as a reader's browser shows it. */
export interface OpenedPage extends WatchedPage {
  /** The number of elements with each role in the accessibility tree. */
  countRoles(roles: readonly string[]): Promise<number[]>;
}

/** Opens a report from a file, as its reader does, in a browser without a network. */
export async function openPage(browser: Browser, html: string): Promise<OpenedPage> {
  const folder = await mkdtemp(join(tmpdir(), "report-"));
  const file = join(folder, "report.html");
  await writeFile(file, html);
  const url = pathToFileURL(file).href;
  const opened = await openUrl(browser, { url, origin: url, context: { offline: true } });
  const { page, incidents } = opened;
  const devtools = await page.context().newCDPSession(page);
  return {
    page,
    incidents,
    async countRoles(roles) {
      const { nodes } = await devtools.send("Accessibility.getFullAXTree");
      const heard = nodes.filter(({ ignored }) => !ignored).map(({ role }) => role?.value);
      return roles.map((role) => heard.filter((one) => one === role).length);
    },
    async [Symbol.asyncDispose]() {
      await opened[Symbol.asyncDispose]();
      await rm(folder, { recursive: true });
    },
  };
}
