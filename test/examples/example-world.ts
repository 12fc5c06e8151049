import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, request as httpRequest, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type LocalIdp,
  type LocalSts,
  startLocalIdp,
  startLocalSts,
} from "../../src/testing/index.js";

export const ROLE_ARN = "arn:aws:iam::123456789012:role/app";

/** A test's own server on a loopback port. */
export interface SmallServer extends AsyncDisposable {
  readonly url: string;
}

/** An issuer, an STS that trusts it, and a file with a token. */
export interface ExampleWorld extends AsyncDisposable {
  readonly idp: LocalIdp;
  readonly sts: LocalSts;
  readonly tokenFile: string;
}

export async function startWorld(): Promise<ExampleWorld> {
  const idp = await startLocalIdp();
  const sts = await startLocalSts({ providers: [idp] });
  const folder = await mkdtemp(join(tmpdir(), "example-"));
  const tokenFile = join(folder, "token");
  await writeFile(tokenFile, `${await idp.issueToken()}\n`);
  return {
    idp,
    sts,
    tokenFile,
    async [Symbol.asyncDispose]() {
      await Promise.all([idp.close(), sts.close(), rm(folder, { recursive: true })]);
    },
  };
}

export async function startSmallServer(onRequest: RequestListener): Promise<SmallServer> {
  const server = createServer(onRequest);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** An S3 with two buckets. It accepts any key that STS issued, and passes STS calls on to STS. */
export function startS3(sts: LocalSts): Promise<SmallServer> {
  return startSmallServer((request, response) => {
    if (request.method === "POST") {
      const { method, headers, url = "/" } = request;
      const passed = httpRequest(new URL(url, sts.url), { method, headers }, (reply) => {
        response.writeHead(reply.statusCode ?? 500, reply.headers);
        reply.pipe(response);
      });
      request.pipe(passed);
      return;
    }
    const granted = sts.requests.map((each) => each.granted?.accessKeyId);
    const key = /Credential=([^/]+)/.exec(request.headers.authorization ?? "")?.[1];
    const known = key !== undefined && granted.includes(key);
    response.writeHead(known ? 200 : 403, { "content-type": "application/xml" });
    response.end(known ? BUCKETS : "<Error><Code>InvalidAccessKeyId</Code></Error>");
  });
}

const BUCKETS =
  "<ListAllMyBucketsResult><Buckets><Bucket><Name>logs</Name></Bucket>" +
  "<Bucket><Name>reports</Name></Bucket></Buckets></ListAllMyBucketsResult>";
