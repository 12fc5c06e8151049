import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core";

/** These suit a container and a root user, and Chromium's own services send nothing. */
const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** Starts Debian's Chromium with a new profile, which is removed at the end. */
export async function startChromium(executablePath: string): Promise<Browser> {
  return await chromium.launch({ executablePath, args: FLAGS });
}

/** An open page, and what happened in it. */
export interface WatchedPage extends AsyncDisposable {
  readonly page: Page;
  /** Requests to other places, messages in the console, dialogs and errors. */
  readonly incidents: readonly string[];
}

interface PageOptions {
  readonly url: string;
  /** Requests to URLs that start with this are expected. */
  readonly origin: string;
  readonly context: BrowserContextOptions;
}

/** Opens a page in its own browser context. */
export async function openUrl(
  browser: Browser,
  { url, origin, context: options }: PageOptions,
): Promise<WatchedPage> {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  const incidents: string[] = [];
  page.on("request", (request) => {
    if (!request.url().startsWith(origin)) incidents.push(`request: ${request.url()}`);
  });
  page.on("console", (message) => incidents.push(`console: ${message.text()}`));
  page.on("pageerror", (error) => incidents.push(`error: ${error.message}`));
  page.on("dialog", (dialog) => {
    incidents.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  await page.goto(url);
  return { page, incidents, [Symbol.asyncDispose]: () => context.close() };
}
