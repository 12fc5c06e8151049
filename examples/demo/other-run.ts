import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { WebIdentityProvider } from "../../src/index.js";
import { serveCredentials } from "../../src/serve/index.js";
import type { OtherProgram, Variables } from "./other-program.js";
import { type Outcome, outcomeOf } from "./outcome.js";
import type { Printer } from "./print.js";

interface OtherRunOptions {
  readonly program: OtherProgram;
  /** The variables that lead to STS. */
  readonly variables: Variables;
  readonly roleArn: string;
  readonly token: string;
  /** The provider whose credentials are served to the program. */
  readonly credentials: WebIdentityProvider;
  readonly servedSession: string;
  readonly printer: Printer;
}

/**
 * Runs the program twice in the same outage: with the web identity of its own SDK, and with
 * credentials from the endpoint that `resilient-sts exec` and `serve` provide.
 */
export async function runOtherProgram(
  options: OtherRunOptions,
): Promise<{ readonly alone: Outcome; readonly served: Outcome }> {
  const { program, variables, roleArn, token, credentials, servedSession, printer } = options;
  const folder = await mkdtemp(join(tmpdir(), "resilient-sts-demo-"));
  await using server = await serveCredentials({ roles: { checkout: credentials } });
  try {
    const tokenFile = join(folder, "token");
    await writeFile(tokenFile, token, { mode: 0o600 });
    const session = `${program.name}-alone`;
    const webIdentity = {
      AWS_ROLE_ARN: roleArn,
      AWS_WEB_IDENTITY_TOKEN_FILE: tokenFile,
      AWS_ROLE_SESSION_NAME: session,
    };
    const [alone, served] = await Promise.all([
      outcomeOf(
        {
          speaker: program.name,
          session,
          whoAmI: () => program.whoAmI({ ...variables, ...webIdentity }),
        },
        printer,
      ),
      outcomeOf(
        {
          speaker: program.name,
          session: servedSession,
          async whoAmI() {
            // Like `exec`, which starts a command only when it has credentials.
            await credentials();
            printer.event("serve", `has credentials; ${program.name} starts with its endpoint`);
            return await program.whoAmI({ ...variables, ...server.env() });
          },
        },
        printer,
      ),
    ]);
    return { alone, served };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
