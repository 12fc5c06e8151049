import { readFileSync } from "node:fs";
import { Converter, KindRouter, OptionDefaults } from "typedoc";

/** The file of each guide, without its extension: `docs/failures`. */
const files = new WeakMap();

/**
 * Names every guide by its first heading, which is what the navigation and the search show, and its
 * page by its file, so that links to `guides/failures.html#err_throttled` keep working.
 *
 * @param {import("typedoc").Application} app
 */
function nameGuides(app) {
  app.converter.on(Converter.EVENT_CREATE_DOCUMENT, (_, guide) => {
    files.set(guide, guide.name);
    const text = guide.content.map(({ text }) => text).join("");
    guide.name = /^# (.+)$/m.exec(text)?.[1] ?? guide.name;
  });
  app.renderer.defineRouter("guides-by-file", GuidesByFile);
}

class GuidesByFile extends KindRouter {
  getIdealBaseName(reflection) {
    const file = files.get(reflection);
    if (file === undefined) return super.getIdealBaseName(reflection);
    return `guides/${file
      .replace(/^docs\//, "")
      .replaceAll("/", "-")
      .toLowerCase()}`;
  }
}

/** The guides in reading order. A guide that is missing here follows them. */
const GUIDES = [
  ...["troubleshooting", "failures", "findings", "options", "refresh", "pre-flight", "migration"],
  ...["token-sources", "reach", "stores", "fleet", "observability", "doctor", "testing"],
];

const { version } = JSON.parse(readFileSync(new URL("package.json", import.meta.url), "utf8"));

/** @type {Partial<import("typedoc").TypeDocOptions>} */
export default {
  name: `resilient-sts ${version}`,
  entryPoints: [
    "src/index.ts",
    "src/token-sources/index.ts",
    "src/stores/index.ts",
    "src/serve/index.ts",
    "src/opentelemetry/index.ts",
    "src/doctor/index.ts",
    "src/testing/index.ts",
  ],
  projectDocuments: [
    ...GUIDES.map((name) => `docs/${name}.md`),
    "docs/*.md",
    "examples/README.md",
    "CHANGELOG.md",
  ],
  readme: "README.md",
  out: "site",
  customCss: "site-theme/style.css",
  favicon: "site-theme/favicon.svg",
  searchInDocuments: true,
  searchInComments: true,
  // A user searches for a name from an error, and the guides explain those names.
  searchGroupBoosts: { Documents: 4 },
  plugin: [nameGuides],
  router: "guides-by-file",
  highlightLanguages: [...OptionDefaults.highlightLanguages, "diff", "dockerfile", "ini"],
  ignoredHighlightLanguages: ["crontab"],
  // `npm run types` checks for errors.
  skipErrorChecking: true,
  disableSources: true,
  excludeInternal: true,
  intentionallyNotExported: ["TOKEN_SOURCE_NAMES", "src/retry/retry-loop.ts:RetryOptions"],
  requiredToBeDocumented: [
    ...["Module", "Function", "Class", "Interface", "TypeAlias", "Variable", "Method", "Accessor"],
  ],
  treatWarningsAsErrors: true,
  validation: { invalidLink: true, notDocumented: true, notExported: true, rewrittenLink: true },
};
