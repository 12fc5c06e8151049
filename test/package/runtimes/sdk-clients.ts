import { createRequire } from "node:module";
import type { Project } from "./project.js";

/*
 * Which versions of SDK clients work: the lowest that is supported, the lowest in which the client leaves
 * caching to the provider, and the newest.
 */

interface ClientRow {
  readonly version: string;
  /** Whether the client asks the provider again after `invalidate()`. */
  readonly asksAgain: boolean;
}

export const CLIENTS: readonly ClientRow[] = [
  { version: "3.621.0", asksAgain: false },
  { version: "3.775.0", asksAgain: true },
  { version: "latest", asksAgain: true },
];

const alias = ({ version }: ClientRow) => `client-s3-${version}`;

/** For `npm install`. */
export const CLIENT_PACKAGES: readonly string[] = CLIENTS.map(
  (row) => `${alias(row)}@npm:@aws-sdk/client-s3@${row.version}`,
);

/** A service that calls the first key expired: what a client sends, and what its caller gets. */
const program = (name: string) => `
const { createServer } = require("node:http");
const { fromTokenFile, refreshOnExpiredToken } = require("resilient-sts");
const { S3Client, ListBucketsCommand } = require("${name}");
const keys = [];
const server = createServer((request, response) => {
  keys.push(/Credential=([^/]+)/.exec(request.headers.authorization)[1]);
  const isExpired = keys.at(-1) === keys[0];
  response.writeHead(isExpired ? 400 : 200, { "content-type": "application/xml" });
  response.end(isExpired ? "<Error><Code>ExpiredToken</Code></Error>" : "<ListAllMyBucketsResult><Buckets></Buckets></ListAllMyBucketsResult>");
});
server.listen(0, "127.0.0.1", async () => {
  const credentials = fromTokenFile();
  const endpoint = "http://127.0.0.1:" + server.address().port;
  const s3 = new S3Client({ region: "us-east-1", endpoint, forcePathStyle: true, credentials });
  s3.middlewareStack.use(refreshOnExpiredToken(credentials));
  const result = await s3.send(new ListBucketsCommand({})).then(() => "ok", (error) => error.name);
  console.log(JSON.stringify({ result, keys: new Set(keys).size }));
  credentials.close();
  s3.destroy();
  server.close();
});`;

/** @returns what it does, for the table; throws when that is not what the documentation says. */
export async function checkClient(project: Project, row: ClientRow): Promise<string> {
  const name = alias(row);
  await project.write(`${name}.cjs`, program(name));
  const { result, keys } = JSON.parse(await project.run(process.execPath, `${name}.cjs`)) as {
    readonly result: string;
    readonly keys: number;
  };
  const asksAgain = result === "ok" && keys === 2;
  if (keys === 0 || asksAgain !== row.asksAgain) {
    throw new Error(`client-s3 ${row.version}: ${result}, signed with ${keys} keys`);
  }
  const manifest = createRequire(`${project.folder}/`)(`${name}/package.json`) as object;
  const { version } = manifest as { readonly version: string };
  return `client-s3 ${version}: ${asksAgain ? "sent again with new credentials" : "credentials, but no new ones"}`;
}
