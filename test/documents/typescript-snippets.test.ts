import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readdir, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { transform } from "esbuild";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  type ExampleWorld,
  type SmallServer,
  startS3,
  startSmallServer,
  startWorld,
} from "../examples/example-world.js";
import { ROOT } from "../support/sources.js";
import { CODE_BLOCKS, type CodeBlock } from "./code-blocks.js";

const SNIPPETS = CODE_BLOCKS.filter(({ language }) => language === "ts");

/** Snippets that are compiled and not run, by what is in them. */
const NOT_RUN: readonly (readonly [mark: string, reason: string])[] = [
  ["checkIssuer(", "calls an issuer on the internet"],
  ["clientCredentials(", "calls an identity provider on the internet"],
  ["redisStore(", "needs a Redis"],
  ['from "./my-store.js"', "imports the reader's own store"],
];

/** Stubs of the reader's own files. */
const OWN_FILES = {
  "my-store.ts":
    'import type { CredentialStore } from "resilient-sts/stores";\nexport declare function myStore(): CredentialStore;\n',
};

/** A fixed port and a system folder, which a test must not use. */
const REPLACED = [
  [/127\.0\.0\.1:9912/g, "127.0.0.1:0"],
  [/\/run\/aws\/tokens/g, "./tokens"],
] as const;

/** Uses the exports of a snippet as its reader would, then ends. */
const HARNESS = `
import { pathToFileURL } from "node:url";
const snippet = await import(pathToFileURL(process.argv[2]).href);
if (snippet.credentials) await snippet.credentials();
if (snippet.s3) {
  const { ListBucketsCommand } = await import("@aws-sdk/client-s3");
  const { Buckets } = await snippet.s3.send(new ListBucketsCommand({}));
  console.log(Buckets.length, "buckets");
}
if (snippet.isHealthy) console.log("healthy", snippet.isHealthy());
process.emit("SIGTERM");
process.exit(process.exitCode);
`;

/** An empty project that depends on the built package and on all of its development dependencies. */
let project: string;
let world: ExampleWorld;
let s3: SmallServer;
let github: SmallServer;

beforeAll(async () => {
  project = await mkdtemp(join(tmpdir(), "snippets-"));
  await writeFile(join(project, "package.json"), '{ "type": "module", "private": true }');
  const modules = join(project, "node_modules");
  await mkdir(modules);
  for (const name of await readdir(join(ROOT, "node_modules"))) {
    if (!name.startsWith(".")) await symlink(join(ROOT, "node_modules", name), join(modules, name));
  }
  await symlink(ROOT, join(modules, "resilient-sts"));
  world = await startWorld();
  s3 = await startS3(world.sts);
  github = await startSmallServer(async (_, response) => {
    response.end(JSON.stringify({ value: await world.idp.issueToken() }));
  });
  await writeFile(join(project, "harness.js"), HARNESS);
});

afterAll(async () => {
  await Promise.all([github, s3, world].map((each) => each?.[Symbol.asyncDispose]()));
  await rm(project, { recursive: true, force: true });
});

const fileOf = ({ place }: CodeBlock) => place.replace(/[/:]/g, "-").replace(".md", "");

test("every snippet compiles against the built package, in strict mode", {
  timeout: 120_000,
}, async () => {
  const files = new Map(SNIPPETS.map((snippet) => [`${fileOf(snippet)}.ts`, snippet.text]));
  for (const [name, text] of [...files, ...Object.entries(OWN_FILES)]) {
    // Without an import or export a file is a script, whose names are global.
    await writeFile(join(project, name), `${text}\nexport {};\n`);
  }
  const compilerOptions = {
    ...{ strict: true, exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true },
    ...{ module: "nodenext", target: "es2022", lib: ["es2023", "esnext.disposable"] },
    ...{ skipLibCheck: true, noEmit: true, types: ["node"] },
  };
  const config = { compilerOptions, files: [...files.keys()] };
  await writeFile(join(project, "tsconfig.json"), JSON.stringify(config));
  const tsc = join(ROOT, "node_modules/typescript/bin/tsc");
  expect(await run([tsc, "--project", "tsconfig.json"])).toEqual({ code: 0, output: "" });
});

describe("a snippet of the documentation", { timeout: 60_000 }, () => {
  const runnable = SNIPPETS.filter(({ text }) => !NOT_RUN.some(([mark]) => text.includes(mark)));

  test("is left out only for a reason that applies", () => {
    expect(runnable.length).toBeGreaterThan(SNIPPETS.length / 2);
    const marks = NOT_RUN.filter(([mark]) => !SNIPPETS.some(({ text }) => text.includes(mark)));
    expect(marks).toEqual([]);
  });

  test.each(runnable.map((snippet) => [snippet.place, snippet] as const))(
    "at %s runs against the local STS",
    async (_, snippet) => {
      const text = REPLACED.reduce((all, [from, to]) => all.replace(from, to), snippet.text);
      const script = await transform(text, { loader: "ts", format: "esm", target: "node20" });
      const file = join(project, "run", fileOf(snippet), "snippet.js");
      await mkdir(dirname(file), { recursive: true });
      await writeFile(file, script.code);
      const args = text.includes('from "node:test"') ? ["--test", file] : ["harness.js", file];
      const { code, output } = await run(args, await platformOf(text));
      expect(code, output).toBe(0);
    },
  );
});

/** What the platform of a snippet sets. */
async function platformOf(text: string): Promise<Readonly<Record<string, string>>> {
  if (text.includes("githubActions(")) {
    return {
      ACTIONS_ID_TOKEN_REQUEST_URL: `${github.url}/token?api-version=2.0`,
      ACTIONS_ID_TOKEN_REQUEST_TOKEN: "bearer",
    };
  }
  if (text.includes("vercel(")) return { VERCEL_OIDC_TOKEN: await world.idp.issueToken() };
  return { AWS_WEB_IDENTITY_TOKEN_FILE: world.tokenFile };
}

interface Outcome {
  readonly code: number;
  readonly output: string;
}

/** Runs Node in the project, with an environment that leads to the local servers alone. */
async function run(
  args: readonly string[],
  platform: Readonly<Record<string, string>> = {},
): Promise<Outcome> {
  const { PATH, HOME } = process.env;
  const env = {
    ...{ PATH, HOME, AWS_REGION: "eu-west-1", AWS_EC2_METADATA_DISABLED: "true" },
    AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: "true",
    AWS_CONFIG_FILE: "/nonexistent/config",
    AWS_SHARED_CREDENTIALS_FILE: "/nonexistent/credentials",
    AWS_ROLE_ARN: "arn:aws:iam::123456789012:role/app",
    AWS_ENDPOINT_URL_STS: world.sts.url,
    AWS_ENDPOINT_URL_S3: s3.url,
    ...platform,
  };
  return await new Promise((resolve) => {
    execFile(process.execPath, args, { cwd: project, env, timeout: 50_000 }, (error, out, err) => {
      const code = error === null ? 0 : typeof error.code === "number" ? error.code : -1;
      resolve({ code, output: out + err });
    });
  });
}
