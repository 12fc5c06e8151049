import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { startLocalIdp, startLocalSts } from "../../../src/testing/index.js";
import { temporaryFolder } from "../../support/temporary-folder.js";
import { measureSizes, outdatedSizes, writeSizes } from "./bundle-sizes.js";
import { installProject, installTools } from "./project.js";
import { ROWS } from "./rows.js";
import { CLIENT_PACKAGES, CLIENTS, checkClient } from "./sdk-clients.js";

/*
 * `npm run runtimes`: installs the packed package and checks it under every runtime, bundler, package
 * manager and SDK client of docs/runtimes.md. With --write it writes the measured sizes to that page.
 */

await using idp = await startLocalIdp();
await using sts = await startLocalSts({ providers: [idp] });
using secrets = temporaryFolder();
const tokenFile = join(secrets.path, "token");
await writeFile(tokenFile, await idp.issueToken());

const env = {
  AWS_WEB_IDENTITY_TOKEN_FILE: tokenFile,
  AWS_ROLE_ARN: "arn:aws:iam::123456789012:role/app",
  AWS_REGION: "us-east-1",
  AWS_ENDPOINT_URL_STS: sts.url,
  AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: "true",
  // Yarn has settings of its own, and refuses plain HTTP; pnpm asks before it removes a folder.
  YARN_NODE_LINKER: "pnp",
  YARN_ENABLE_TELEMETRY: "0",
  YARN_ENABLE_IMMUTABLE_INSTALLS: "false",
  CI: "true",
};

await using tools = await installTools();
await using project = await installProject(env, CLIENT_PACKAGES);
let failed = 0;

const print = (line: string) => process.stdout.write(`${line}\n`);

async function check(name: string, run: () => Promise<string>): Promise<void> {
  const start = performance.now();
  try {
    const said = await run();
    const seconds = ((performance.now() - start) / 1000).toFixed(1);
    print(`ok      ${name.padEnd(26)} ${said} (${seconds} s)`);
  } catch (error) {
    failed += 1;
    print(`failed  ${name}\n${error instanceof Error ? error.message : String(error)}`);
  }
}

for (const { name, run } of ROWS) {
  await check(name, async () => {
    const printed = await run(project, tools);
    const line = /^credentials ASIA\w+$/m.exec(printed);
    if (line === null) throw new Error(printed);
    return "credentials";
  });
}
for (const row of CLIENTS) await check("SDK client", () => checkClient(project, row));

const sizes = await measureSizes(project);
if (process.argv.includes("--write")) await writeSizes(sizes);
await check("sizes in docs/runtimes.md", async () => {
  const outdated = await outdatedSizes(sizes);
  if (outdated.length > 0) throw new Error([...outdated, "npm run runtimes -- --write"].join("\n"));
  return "as measured";
});
process.exitCode = failed === 0 ? 0 : 1;
