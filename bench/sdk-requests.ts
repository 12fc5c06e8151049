import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { HeadBucketCommand, S3Client } from "@aws-sdk/client-s3";
import { type GetCredentials, type Place, REGION, startPlace } from "./in-process.js";
import { figure, type PartResult } from "./report.js";

const REQUESTS = 10;
/** Less than five minutes: from then on, an SDK client requests credentials for each call. */
const SESSION_SECONDS = 200;
const MOST_CALLS = 2;

const CONTENDERS: Readonly<Record<string, (place: Place) => GetCredentials>> = {
  ours: (place) => place.ours(),
  stock: (place) => place.stock(),
  "stock + p-retry": (place) => place.stockWithRetry(),
};

/** A client's requests with short-lived credentials. */
export async function sdkRequestsPart(): Promise<PartResult> {
  const measured: (readonly [string, number])[] = [];
  for (const [name, make] of Object.entries(CONTENDERS)) measured.push([name, await count(make)]);
  const ours = measured[0]?.[1] ?? Number.NaN;
  return {
    tables: [
      {
        title: `${REQUESTS} requests of an S3 client, sessions of ${SESSION_SECONDS} s`,
        columns: ["", "STS calls"],
        rows: [...measured.map(([name, calls]) => [name, figure(calls)]), ["floor", "1"]],
      },
    ],
    promises: [
      {
        what: `${REQUESTS} requests with ${SESSION_SECONDS} s sessions`,
        limit: `≤ ${MOST_CALLS} STS calls`,
        measured: `${ours} (stock: ${measured[1]?.[1]})`,
        kept: ours <= MOST_CALLS,
      },
    ],
  };
}

async function count(make: (place: Place) => GetCredentials): Promise<number> {
  await using place = await startPlace(SESSION_SECONDS);
  const server = createServer((_, response) => response.end());
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const client = new S3Client({
    endpoint: `http://127.0.0.1:${port}`,
    forcePathStyle: true,
    region: REGION,
    credentials: make(place),
  });
  for (let request = 0; request < REQUESTS; request += 1) {
    await client.send(new HeadBucketCommand({ Bucket: "bucket" }));
  }
  client.destroy();
  server.closeAllConnections();
  server.close();
  return place.calls();
}
