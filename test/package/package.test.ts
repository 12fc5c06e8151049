import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "esbuild";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { PUBLIC_ENTRIES, parse, ROOT } from "../support/sources.js";
import { type Consumer, installPackage, repositoryVersion } from "./consumer.js";
import { GOOD_SAMPLE, MISUSE_SAMPLE } from "./samples.js";

const PACKAGE = "node_modules/resilient-sts";
const BIN = "./node_modules/.bin/resilient-sts";

const MAIN_EXPORTS =
  "WebIdentityError checkIssuer fromTokenFile fromWebIdentity fromWebToken isWebIdentityError refreshOnExpiredToken";
const DOCTOR_EXPORTS = "diagnose";
const TESTING_EXPORTS = "startLocalIdp startLocalSts testCredentialStore";
const STORES_EXPORTS = "fileStore redisStore";
const SERVE_EXPORTS = "serveCredentials";
const SOURCES_EXPORTS = [
  "TokenSourceError azureManagedIdentity azureWorkloadIdentityFile bitbucket buildkite circleci",
  "clientCredentials detectTokenSource fly githubActions gitlab googleMetadata isTokenSourceError",
  "kubernetesTokenRequest spiffe terraformCloud vercel",
].join(" ");

/** CommonJS files of the SDK or jose that were loaded, by whatever kind of import. */
const LIST_REQUIRED = `
const files = Object.keys(require.cache).map((file) => file.split("/node_modules/").at(-1));
console.log(JSON.stringify(files.filter((file) => /^(@aws-sdk|@smithy|jose)\\//.test(file))));`;

/** Prints on stderr which files are loaded as ES modules, or by them. */
const TRACE_IMPORTS = `
import { createRequire, register } from "node:module";
const require = createRequire(import.meta.url);
const hook = \`export async function load(url, context, next) {
  if (!url.startsWith("node:")) process._rawDebug("LOADED " + url);
  return next(url, context);
}\`;
register("data:text/javascript," + encodeURIComponent(hook));`;

let consumer: Consumer;

beforeAll(async () => {
  consumer = await installPackage();
}, 120_000);

afterAll(async () => {
  await consumer[Symbol.asyncDispose]();
});

describe("the tarball", () => {
  test("has the build, the license, the manifest, the documents and the schema of a diagnosis", () => {
    const others = consumer.packed.filter((file) => !/^(?:dist|docs|examples)\//.test(file));
    expect(others.toSorted()).toEqual([
      "CHANGELOG.md",
      "LICENSE",
      "README.ja.md",
      "README.md",
      "SECURITY.md",
      "package.json",
      "schema/diagnosis-v1.schema.json",
    ]);
  });

  test("has every page of docs, and the examples that run outside the repository", async () => {
    const guides = await readdir(join(ROOT, "docs"));
    const docs = consumer.packed.filter((file) => file.startsWith("docs/"));
    expect(docs.toSorted()).toEqual(guides.map((name) => `docs/${name}`).toSorted());
    const examples = consumer.packed.filter((file) => file.startsWith("examples/"));
    const texts = examples.map((file) => readFile(join(consumer.folder, PACKAGE, file), "utf8"));
    expect(examples).toContain("examples/irsa.ts");
    expect((await Promise.all(texts)).filter((text) => text.includes('from "../'))).toEqual([]);
  });

  test("has nothing in dist but code, types and third-party licenses", () => {
    const dist = consumer.packed.filter((file) => file.startsWith("dist/"));
    const other = dist.filter((file) => !/\.(?:c?js|d\.c?ts)$/.test(file));
    expect(other).toEqual(["dist/THIRD-PARTY-LICENSES.txt"]);
  });

  test("has one self-contained file for the main entry, one for the token sources, and one of each format that loads the SDK", async () => {
    const names = consumer.packed.filter((file) => /\/sdk.*js$/.test(file));
    expect(names).toEqual(["dist/sdk.cjs", "dist/sdk.js"]);
    const entries = ["index.js", "index.cjs", "token-sources.js"].map((name) => `dist/${name}`);
    for (const entry of entries) {
      const text = await readFile(join(consumer.folder, PACKAGE, entry), "utf8");
      expect(text).not.toMatch(/^(?:import .*from "|.*= require\(['"])\.\//m);
    }
  });

  test("stays within the sizes that docs/runtimes.md states", async () => {
    const guide = await readFile(join(ROOT, "docs/runtimes.md"), "utf8");
    const [, packed, unpacked] =
      /at most ([\d.]+) MB packed and ([\d.]+) MB unpacked/.exec(guide) ?? [];
    expect(consumer.sizes.packed).toBeLessThan(Number(packed) * 1e6);
    expect(consumer.sizes.unpacked).toBeLessThan(Number(unpacked) * 1e6);
  });

  test("is ASCII, and names the source of each part, so that a stack trace needs no source maps", async () => {
    for (const entry of ["index.js", "index.cjs"]) {
      const text = await readFile(join(consumer.folder, PACKAGE, "dist", entry), "utf8");
      expect(text).toMatch(/^\/\/ src\/model\/errors\.ts\n/m);
      expect(text).toMatch(/^var WebIdentityError = class/m);
      expect(text).not.toContain("sourceMappingURL");
      // With one other character, V8 keeps two bytes for each, and Node takes twice as long to read the file.
      expect(text).toMatch(/^\p{ASCII}*$/u);
    }
  });
});

describe("in plain Node", () => {
  test.each([
    ["resilient-sts", MAIN_EXPORTS],
    ["resilient-sts/doctor", DOCTOR_EXPORTS],
    ["resilient-sts/testing", TESTING_EXPORTS],
    ["resilient-sts/token-sources", SOURCES_EXPORTS],
    ["resilient-sts/stores", STORES_EXPORTS],
    ["resilient-sts/serve", SERVE_EXPORTS],
  ])("%s exports the same names to import and to require", async (specifier, names) => {
    const show = 'console.log(Object.keys(entry).sort().join(" "));';
    const esm = await consumer.node("a.mjs", `import * as entry from "${specifier}"; ${show}`);
    const cjs = await consumer.node("a.cjs", `const entry = require("${specifier}"); ${show}`);
    expect(esm).toEqual({ code: 0, stdout: `${names}\n`, stderr: "" });
    expect(cjs).toEqual({ code: 0, stdout: `${names}\n`, stderr: "" });
  });

  test("require loads neither the AWS SDK nor jose", async () => {
    const { stdout } = await consumer.node("b.cjs", `require("resilient-sts"); ${LIST_REQUIRED}`);
    expect(JSON.parse(stdout)).toEqual([]);
  });

  test("import loads neither the AWS SDK nor jose", async () => {
    const load = `${TRACE_IMPORTS} await import("resilient-sts"); ${LIST_REQUIRED}`;
    const { stdout, stderr } = await consumer.node("b.mjs", load);
    expect(JSON.parse(stdout)).toEqual([]);
    expect(stderr).toMatch(/^LOADED .*resilient-sts/m);
    expect(stderr).not.toMatch(/^LOADED .*node_modules\/(?:@aws-sdk|@smithy|jose)\//m);
  });

  describe.each(["mjs", "cjs"])("resilient-sts/stores (%s)", (extension) => {
    // The build names the source of each part that it puts into a file.
    const loadedSources = async (program: string): Promise<readonly string[]> => {
      const list =
        "for (const file of Object.keys(require.cache)) console.error('LOADED ' + file);";
      const source = `${extension === "mjs" ? TRACE_IMPORTS : ""}\n${program}\n.then(() => { ${list} });`;
      const { stderr } = await consumer.node(`stores.${extension}`, source);
      const dist = [...stderr.matchAll(/^LOADED .*\/resilient-sts\/dist\/(.+)$/gm)];
      const files = new Set(
        dist.map(([, name = ""]) => join(consumer.folder, PACKAGE, "dist", name)),
      );
      const texts = await Promise.all([...files].map((file) => readFile(file, "utf8")));
      return texts.flatMap((text) =>
        [...text.matchAll(/^\/\/ (src\/.+)$/gm)].map(([, path = ""]) => path),
      );
    };
    const ofStores = (sources: readonly string[]) =>
      sources.filter((path) => /^src\/(?:stores|provider\/shared)/.test(path));
    const load = (name: string) =>
      extension === "mjs" ? `import("${name}")` : `Promise.resolve(require("${name}"))`;

    test("is not loaded with the main entry", async () => {
      const sources = await loadedSources(load("resilient-sts"));
      expect(sources).toContain("src/provider/create-provider.ts");
      expect(ofStores(sources)).toEqual([]);
    });

    test("is not loaded by a provider without a store", async () => {
      const sources = await loadedSources(firstCredentials(extension).replace(/;$/, ""));
      expect(sources).toContain("src/provider/create-provider.ts");
      expect(ofStores(sources)).toEqual([]);
    });

    test("loads the stores and not the provider", async () => {
      const sources = await loadedSources(load("resilient-sts/stores"));
      expect(ofStores(sources)).toContain("src/stores/redis-store.ts");
      expect(sources).not.toContain("src/provider/create-provider.ts");
    });
  });

  describe("resilient-sts/token-sources", () => {
    test("loads no other package, and only those modules of Node that it needs", async () => {
      const load = `${TRACE_IMPORTS}
        const before = new Set(process.moduleLoadList);
        await import("resilient-sts/token-sources");
        const added = process.moduleLoadList.filter((name) => !before.has(name));
        console.log(added.filter((name) => /NativeModule (http|https|tls|net|child_process|internal\\/deps\\/undici)/.test(name)).join());`;
      const { stdout, stderr } = await consumer.node("e.mjs", load);
      expect(stdout).toBe("\n");
      expect(stderr).toMatch(/^LOADED .*resilient-sts\/dist\/token-sources\.js/m);
      expect(stderr).not.toMatch(/^LOADED .*node_modules\/(?!resilient-sts\/)/m);
    });

    test("is not loaded with the main entry", async () => {
      const load = `${TRACE_IMPORTS} await import("resilient-sts");`;
      const { stderr } = await consumer.node("f.mjs", load);
      expect(stderr).not.toMatch(/token-sources|oauth4webapi/);
    });

    test.each([
      ["mjs", "import { spiffe } from 'resilient-sts/token-sources';"],
      ["cjs", "const { spiffe } = require('resilient-sts/token-sources');"],
    ])("names in one sentence the package that spiffe() needs: %s", async (extension, load) => {
      const { stdout, code } = await consumer.node(
        `g.${extension}`,
        `${load}
        const { signal } = new AbortController();
        spiffe({ socket: "unix:///run/agent.sock" })({ signal, attempt: 1 }).catch((error) =>
          console.log(error.message, "|", error.hint, "|", error.retryable));`,
      );
      expect({ code, stdout }).toEqual({
        code: 0,
        stdout:
          "spiffe() needs the package @grpc/grpc-js, and it can't be loaded | Workload: npm install @grpc/grpc-js. | false\n",
      });
    });

    test.each([
      ["mjs", "import { clientCredentials } from 'resilient-sts/token-sources';", []],
      ["cjs", "const { clientCredentials } = require('resilient-sts/token-sources');", []],
      // As Jest does it: no ES module can be loaded.
      [
        "cjs",
        "const { clientCredentials } = require('resilient-sts/token-sources');",
        ["--no-experimental-require-module"],
      ],
    ] as const)(
      "loads the package that clientCredentials() needs: %s",
      async (extension, load, flags) => {
        await writeFile(
          join(consumer.folder, `h.${extension}`),
          `${load}
        const { signal } = new AbortController();
        const init = { issuer: "http://127.0.0.1:1", clientId: "a", clientSecret: "b" };
        clientCredentials(init)({ signal, attempt: 1 }).catch((error) =>
          console.log(error.message));`,
        );
        const { stdout } = await consumer.run(process.execPath, ...flags, `h.${extension}`);
        expect(stdout).toMatch(/^the issuer 127\.0\.0\.1:1 can't be reached: .*ECONNREFUSED/);
      },
    );
  });

  test.each(["mjs", "cjs"])(
    "the main entry gets credentials from the local STS: %s",
    async (extension) => {
      expect(await consumer.node(`c.${extension}`, firstCredentials(extension))).toMatchObject({
        code: 0,
        stdout: expect.stringMatching(/^ASIA\w+\n$/),
      });
    },
  );
});

test.each(["mjs", "cjs"])("an uncaught error has the name of its class: %s", async (extension) => {
  const load =
    extension === "mjs"
      ? 'import { fromTokenFile } from "resilient-sts";'
      : 'const { fromTokenFile } = require("resilient-sts");';
  const { code, stderr } = await consumer.node(`i.${extension}`, `${load} fromTokenFile()();`);
  expect(code).toBe(1);
  expect(stderr).toMatch(/^WebIdentityError: Web identity configuration not specified/m);
});

describe("the CommonJS build, for Jest and others that load only CommonJS,", () => {
  test("gets credentials without any ES module", async () => {
    await writeFile(join(consumer.folder, "d.cjs"), firstCredentials("cjs"));
    const flag = "--no-experimental-require-module";
    const { code, stderr } = await consumer.run(process.execPath, flag, "d.cjs");
    expect({ code, stderr }).toMatchObject({ code: 0 });
  });

  test("has no import()", async () => {
    // Node runs the command; no other program loads its file.
    const isCommand = (file: string) => file.endsWith("/bin.cjs");
    const files = consumer.packed.filter((file) => file.endsWith(".cjs") && !isCommand(file));
    const texts = files.map((file) => readFile(join(consumer.folder, PACKAGE, file), "utf8"));
    const imports = (await Promise.all(texts)).flatMap((text) => parse("a.cjs", text).imports);
    expect(imports).toEqual([]);
  });
});

describe("a bundle, as functions are deployed,", () => {
  test.each([
    // Without `module` esbuild takes the SDK's CommonJS, which an ES module can't contain.
    ["esm", ["module", "main"]],
    ["cjs", ["main", "module"]],
  ] as const)("gets credentials without node_modules: %s", async (format, mainFields) => {
    const folder = await mkdtemp(join(tmpdir(), "bundle-"));
    const outfile = join(folder, format === "esm" ? "app.mjs" : "app.cjs");
    try {
      await build({
        stdin: { contents: firstCredentials("mjs"), resolveDir: consumer.folder },
        outfile,
        bundle: true,
        platform: "node",
        format,
        mainFields: [...mainFields],
        logLevel: "silent",
      });
      expect(await consumer.run(process.execPath, outfile)).toMatchObject({
        code: 0,
        stdout: expect.stringMatching(/^ASIA\w+\n$/),
      });
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});

// The declarations of the SDK are many, and a busy machine is slow.
describe("in strict mode, with every declaration checked,", {
  timeout: 120_000,
}, () => {
  test.each([
    ["nodenext", ["good.mts", "good.cts"]],
    ["preserve", ["good.ts"]],
  ] as const)("a consumer's calls compile: module %s", async (module, names) => {
    const files = Object.fromEntries(names.map((name) => [name, GOOD_SAMPLE]));
    expect(await consumer.compile(module, files)).toEqual({ code: 0, stdout: "", stderr: "" });
  });

  test("every subpath has its types under module commonjs and node10 resolution", async () => {
    const lines = [...PUBLIC_ENTRIES.keys()].map((subpath, index) => {
      const specifier = subpath.replace(".", "resilient-sts");
      return `import * as entry${index} from "${specifier}"; export const a${index} = entry${index};`;
    });
    // A value, so that a subpath that resolves to nothing or to `any` is an error.
    const value = "import { githubActions } from 'resilient-sts/token-sources';";
    const uses = "export const name: string = githubActions({ audience: 'a' }).name;";
    // Its directive is an error itself when `any` lets the number through.
    const wrong =
      "// @ts-expect-error not a string\nexport const no = githubActions({ audience: 5 });";
    const files = { "old.ts": [...lines, value, uses, wrong].join("\n") };
    expect(await consumer.compile("commonjs", files)).toEqual({ code: 0, stdout: "", stderr: "" });
  });

  test("misuse does not compile", async () => {
    const files = { "misuse.mts": MISUSE_SAMPLE, "misuse.cts": MISUSE_SAMPLE };
    expect(await consumer.compile("nodenext", files)).toEqual({ code: 0, stdout: "", stderr: "" });
  });
});

describe("the bin", () => {
  const bin = (...args: string[]) => consumer.run("npx", "--no-install", "resilient-sts", ...args);

  test("prints its version", async () => {
    expect(await bin("--version")).toMatchObject({
      code: 0,
      stdout: `${await repositoryVersion()}\n`,
    });
  });

  test("prints its usage on stdout for --help", async () => {
    expect(await bin("--help")).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^Usage: resilient-sts/),
    });
  });

  test("names an unknown flag and --help in one line, and exits with 2", async () => {
    const { code, stdout, stderr } = await consumer.run(BIN, "--nonsense");
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toMatch(/^resilient-sts: .*--nonsense.*--help\n$/);
  });

  test("ends silently with 141 when its output pipe is closed", async () => {
    const command = `${BIN} --help | head -0; echo "exit \${PIPESTATUS[0]}"`;
    const { stdout, stderr } = await consumer.run("bash", "-c", command);
    expect({ stdout, stderr }).toEqual({ stdout: "exit 141\n", stderr: "" });
  });
});

/** A program that gets credentials with what the two entries give, lazily loaded parts included. */
function firstCredentials(extension: string): string {
  const load = (name: string) =>
    extension === "mjs" ? `await import("${name}")` : `require("${name}")`;
  return `(async () => {
  const { fromWebToken } = ${load("resilient-sts")};
  const { startLocalIdp, startLocalSts } = ${load("resilient-sts/testing")};
  const idp = await startLocalIdp();
  const sts = await startLocalSts({ providers: [idp] });
  const provider = fromWebToken({
    webIdentityToken: await idp.issueToken(),
    roleArn: "arn:aws:iam::123456789012:role/app",
    clientConfig: { region: "eu-west-1", endpoint: sts.url },
  });
  console.log((await provider()).accessKeyId);
  for (const part of [provider, sts, idp]) await part.close();
})();`;
}
