import { execFile } from "node:child_process";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { promisify } from "node:util";
import { startCredentialsWorld } from "../cli/credentials-world.js";
import { stormBeforeEachSession } from "../support/issuer-storm.js";
import { ROOT } from "../support/sources.js";
import { hostileEnvironment } from "./hostile-environment.js";

const run = promisify(execFile);

/** Variables without which a program does not start. */
const MACHINE = ["PATH", "HOME", "PYENV_ROOT", "LANG", "SystemRoot"];

/**
 * An STS whose sessions are so long and whose issuer fails before each, an S3, and the environment of
 * a machine on which everything else that a client could use is wrong.
 */
export async function startClientWorld(sessionMinutes: number) {
  const world = await startCredentialsWorld({
    credentialLifetimeSeconds: sessionMinutes * 60,
    jwksCacheSeconds: 0,
  });
  const { idp, sts, folder, tokenFile } = world;
  const storm = stormBeforeEachSession(idp, sts);
  const s3Signers: (string | undefined)[] = [];
  const s3 = await startServer((request, response) => {
    s3Signers.push(/Credential=([^/]+)/.exec(request.headers.authorization ?? "")?.[1]);
    response.writeHead(200, { "content-type": "application/xml" }).end(listFor(request.url));
  });
  const proxied: string[] = [];
  const proxy = await startServer(({ url = "" }, response) => {
    proxied.push(url);
    response.writeHead(502).end();
  });
  const machine = Object.fromEntries(
    MACHINE.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]])),
  ) as Record<string, string>;
  const hostile = await hostileEnvironment(folder, proxy.url);
  return {
    ...{ folder, tokenFile, sts },
    /** What came to the proxy, which reaches no address of this machine. */
    proxied,
    env: {
      ...{ ...machine, ...hostile },
      AWS_ENDPOINT_URL_STS: sts.url,
      RCLONE_S3_ENDPOINT: s3.url,
      AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: "true",
    },
    /** The access key of each request that a client signed, and whether STS granted it. */
    signed() {
      const granted = sts.requests.map((request) => request.granted?.accessKeyId);
      const stsSigners = sts.requests
        .filter(({ action }) => action === "GetCallerIdentity")
        .map(({ accessKeyId }) => accessKeyId);
      return [...stsSigners, ...s3Signers].map((key) => ({
        isGranted: key !== undefined && granted.includes(key),
      }));
    },
    async [Symbol.asyncDispose]() {
      storm[Symbol.dispose]();
      await Promise.all([s3.close(), proxy.close()]);
      await world[Symbol.asyncDispose]();
    },
  };
}

export type ClientWorld = Awaited<ReturnType<typeof startClientWorld>>;

/** Runs a program to its end. @throws what it wrote to standard error, when it fails. */
export async function runProgram(
  [program = "", ...args]: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<void> {
  await run(program, args, { env, cwd: ROOT });
}

async function startServer(listener: RequestListener) {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Four buckets, and nothing in any of them. */
function listFor(url = "/"): string {
  if (new URL(url, "http://127.0.0.1").pathname !== "/") {
    return "<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>";
  }
  const buckets = ["a", "b", "c", "d"].map((name) => `<Bucket><Name>${name}</Name></Bucket>`);
  return `<ListAllMyBucketsResult><Buckets>${buckets.join("")}</Buckets></ListAllMyBucketsResult>`;
}
