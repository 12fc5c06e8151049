/*
 * Shows what this package is for. An identity provider limits the rate of requests, then goes down.
 * Meanwhile the SDK's own provider and this one request credentials, and so does Python or the AWS CLI,
 * if one of them is installed.
 *
 *     npm run demo              everything on this machine, no AWS account
 *     npm run demo -- --real    the role of AWS_ROLE_ARN with the token of AWS_WEB_IDENTITY_TOKEN_FILE
 */
import { parseArgs } from "node:util";
import { versionNotice } from "./known-noise.js";
import { runOutage } from "./outage-run.js";
import { createPrinter, type Printer } from "./print.js";
import { isConfigured, runReal } from "./real-run.js";

const printer = createPrinter(process.stdout);

try {
  const { values } = parseArgs({ options: { real: { type: "boolean", default: false } } });
  const succeeded = values.real ? await runReal(printer, process.env) : await demo(printer);
  if (!succeeded) process.exitCode = 1;
} catch (error) {
  console.error(`The demo failed: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}

async function demo(to: Printer): Promise<boolean> {
  const succeeded = await runOutage(to);
  to.text();
  if (!succeeded) {
    to.text("The demo failed: there are no credentials. The lines above say why.", "bold");
    return false;
  }
  to.text("With a real role:", "bold");
  if (isConfigured(process.env)) {
    to.text("  AWS_ROLE_ARN and AWS_WEB_IDENTITY_TOKEN_FILE are set here, so this is enough:");
    to.text("  npm run demo -- --real");
  } else {
    to.text("  export AWS_ROLE_ARN=arn:aws:iam::123456789012:role/NAME");
    to.text("  export AWS_WEB_IDENTITY_TOKEN_FILE=/path/to/the/token");
    to.text("  npm run demo -- --real");
  }
  to.text();
  to.text("A command in any language:", "bold");
  to.text("  npx resilient-sts exec -- terraform apply");
  const notice = versionNotice();
  if (notice !== undefined) {
    to.text();
    to.text(notice, "dim");
  }
  return true;
}
