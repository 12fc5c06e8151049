import { GetCallerIdentityCommand, STSClient } from "@aws-sdk/client-sts";
import { fromTokenFile, isWebIdentityError } from "../../src/index.js";
import { createNarrator } from "./narrate.js";
import type { Printer } from "./print.js";

/** Whether the environment names a role and a token file. */
export function isConfigured(env: NodeJS.ProcessEnv): boolean {
  return Boolean(env.AWS_ROLE_ARN && env.AWS_WEB_IDENTITY_TOKEN_FILE);
}

/** Assumes the role that the environment names. Returns whether GetCallerIdentity then succeeded. */
export async function runReal(printer: Printer, env: NodeJS.ProcessEnv): Promise<boolean> {
  printer.text("resilient-sts: a real role", "bold");
  printer.text();
  printer.text(`  role   ${env.AWS_ROLE_ARN ?? "AWS_ROLE_ARN is not set"}`);
  printer.text(
    `  token  ${env.AWS_WEB_IDENTITY_TOKEN_FILE ?? "AWS_WEB_IDENTITY_TOKEN_FILE is not set"}`,
  );
  printer.text();
  printer.startClock();
  await using credentials = fromTokenFile({ onEvent: createNarrator({ printer }) });
  const region = env.AWS_REGION || env.AWS_DEFAULT_REGION || "us-east-1";
  const client = new STSClient({ credentials, region });
  try {
    const { Arn: arn } = await client.send(new GetCallerIdentityCommand({}));
    printer.event("resilient", `GetCallerIdentity: ${arn}`, "good");
    return true;
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const what = isWebIdentityError(error) ? error.code : error.name;
    printer.event("resilient", `${what}: ${error.message}`, "bad");
    return false;
  } finally {
    client.destroy();
  }
}
