import { get as httpGet } from "node:http";
import { connect } from "node:net";
import { setTimeout as wait } from "node:timers/promises";
import type { AwsCredentialIdentity } from "@smithy/types";
import type { CredentialsServer } from "../../src/serve/serve-credentials.js";

export const CREDENTIALS: AwsCredentialIdentity = {
  accessKeyId: "ASIASERVEDEXAMPLE001",
  secretAccessKey: "served/secret+key",
  sessionToken: "served-session-token",
  expiration: new Date("2100-01-01T00:00:00.500Z"),
  accountId: "123456789012",
};

/** What a client needs to know of a server: from its environment variables, as every SDK reads them. */
export function clientOf(server: CredentialsServer, role?: string) {
  const env = server.env(role);
  const url = new URL(env.AWS_CONTAINER_CREDENTIALS_FULL_URI ?? "");
  return { url, host: url.host, path: url.pathname, token: env.AWS_CONTAINER_AUTHORIZATION_TOKEN };
}

export interface JsonResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: Record<string, unknown>;
}

/** Asks as an SDK does. Not `fetch`, which sends `Sec-Fetch-Mode` as a browser does. */
export function getJson(url: URL, token = ""): Promise<JsonResponse> {
  return new Promise((resolve, reject) => {
    httpGet(url, { headers: { authorization: token } }, async (response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of response) chunks.push(chunk as Buffer);
      const body = JSON.parse(Buffer.concat(chunks).toString());
      resolve({ status: response.statusCode ?? 0, headers: response.headers, body });
    }).on("error", reject);
  });
}

export interface RawResponse {
  /** 0 when the connection was closed without a response. */
  readonly status: number;
  readonly text: string;
}

/** Sends bytes as they are and reads until the server closes, which `Connection: close` asks for. */
export async function sendRaw(url: URL, text: string, signal?: AbortSignal): Promise<RawResponse> {
  const socket = connect({
    host: url.hostname.replace(/[[\]]/g, ""),
    port: Number(url.port),
    signal,
  });
  const chunks: Buffer[] = [];
  socket.write(text);
  try {
    for await (const chunk of socket) chunks.push(chunk as Buffer);
  } catch {
    // A reset is an end too.
  }
  const received = Buffer.concat(chunks).toString();
  return { status: Number(/^HTTP\/1\.1 (\d{3})/.exec(received)?.[1] ?? 0), text: received };
}

/** A request from its lines; headers are sent as given, in that order. */
export function request(line: string, headers: readonly string[], body = ""): string {
  return `${[line, ...headers, "Connection: close"].join("\r\n")}\r\n\r\n${body}`;
}

/** Lets sockets and callbacks run. */
export async function turn(): Promise<void> {
  await wait(0);
}
