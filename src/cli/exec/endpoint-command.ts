import { readFile } from "node:fs/promises";
import { get } from "node:http";
import {
  type CommandContext,
  CommandFailure,
  EXIT,
  type ExitCode,
  INTERNAL_COMMANDS,
  printCredentials,
  wrongUsage,
} from "../command.js";

/** Longer than any response of the endpoint takes, in milliseconds. */
const LIMIT_MS = 5_000;

/**
 * The `credential_process` of a profile that `exec` writes: reads the role's credentials from the
 * endpoint and prints them as the SDKs expect them. It loads no code of the library.
 */
export async function endpointCommand(
  [url = "", tokenFile = ""]: readonly string[],
  { stdout }: CommandContext,
): Promise<ExitCode> {
  if (!url.startsWith("http://"))
    throw wrongUsage(`${INTERNAL_COMMANDS.endpoint} is internal; run resilient-sts exec instead`);
  const response = await request(url, await readFile(tokenFile, "utf8"));
  const body = JSON.parse(response.text) as Readonly<Record<string, string | undefined>>;
  if (response.status !== 200) {
    throw new CommandFailure(`${body.Code}: ${body.Message}`, EXIT.refused);
  }
  const { AccessKeyId: accessKeyId, SecretAccessKey: secretAccessKey, Token: sessionToken } = body;
  const expiresAt = Date.parse(body.Expiration ?? "");
  if (!accessKeyId || !secretAccessKey || !sessionToken || Number.isNaN(expiresAt)) {
    throw new CommandFailure(
      "the response is not from resilient-sts exec; run resilient-sts exec again",
      EXIT.refused,
    );
  }
  const { AccountId: accountId } = body;
  await printCredentials(stdout, {
    accessKeyId,
    secretAccessKey,
    sessionToken,
    accountId,
    expiresAt,
  });
  return EXIT.ok;
}

function request(url: string, authorization: string): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const sent = get(url, { headers: { authorization }, timeout: LIMIT_MS }, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (piece: string) => {
        text += piece;
      });
      response.on("end", () => resolve({ status: response.statusCode ?? 0, text }));
    });
    sent.on("timeout", () => sent.destroy(new Error("the endpoint did not respond")));
    sent.on("error", reject);
  });
}
