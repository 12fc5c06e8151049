import { readFile } from "node:fs/promises";
import { get } from "node:http";
import {
  type CommandContext,
  CommandFailure,
  EXIT,
  type ExitCode,
  printCredentials,
  wrongUsage,
} from "../command.js";

/** Longer than any answer of the endpoint takes, in milliseconds. */
const LIMIT_MS = 5_000;

/**
 * The `credential_process` of a profile that `exec` writes: reads the role's credentials from the
 * endpoint and prints them as the SDKs expect them. Loads nothing of the library.
 */
export async function endpointCommand(
  [url = "", tokenFile = ""]: readonly string[],
  { stdout }: CommandContext,
): Promise<ExitCode> {
  if (!url.startsWith("http://"))
    throw wrongUsage("endpoint-credentials is internal; run resilient-sts exec instead");
  const answer = await ask(url, await readFile(tokenFile, "utf8"));
  const body = JSON.parse(answer.text) as Readonly<Record<string, string | undefined>>;
  if (answer.status !== 200) {
    throw new CommandFailure(`${body.Code}: ${body.Message}`, EXIT.refused);
  }
  await printCredentials(stdout, {
    accessKeyId: body.AccessKeyId ?? "",
    secretAccessKey: body.SecretAccessKey ?? "",
    sessionToken: body.Token,
    accountId: body.AccountId,
    expiresAt: Date.parse(body.Expiration ?? ""),
  });
  return EXIT.ok;
}

function ask(url: string, authorization: string): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const request = get(url, { headers: { authorization }, timeout: LIMIT_MS }, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (piece: string) => {
        text += piece;
      });
      response.on("end", () => resolve({ status: response.statusCode ?? 0, text }));
    });
    request.on("timeout", () => request.destroy(new Error("the endpoint did not answer")));
    request.on("error", reject);
  });
}
