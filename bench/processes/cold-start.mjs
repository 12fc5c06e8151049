// A fresh process for every sample, measured from here to the first credentials.
if (process.env.LOADED_BEFORE !== undefined) await import(process.env.LOADED_BEFORE);
const start = process.hrtime.bigint();
const cpuBefore = process.cpuUsage();
const [specifier, mode] = process.argv.slice(2);

async function provider() {
  if (specifier === "@aws-sdk/client-sts") return floor(await import(specifier));
  const { fromTokenFile } = await import(specifier);
  if (specifier !== "resilient-sts") return fromTokenFile();
  return fromTokenFile({ preflight: { mode, allowPrivateIssuers: true } });
}

/** Only the one call. */
function floor({ STSClient, AssumeRoleWithWebIdentityCommand }) {
  return async () => {
    const { readFileSync } = await import("node:fs");
    const client = new STSClient({});
    const input = {
      RoleArn: process.env.AWS_ROLE_ARN,
      RoleSessionName: "bench",
      WebIdentityToken: readFileSync(process.env.AWS_WEB_IDENTITY_TOKEN_FILE, "utf8"),
    };
    return client.send(new AssumeRoleWithWebIdentityCommand(input));
  };
}

const getCredentials = await provider();
if (mode === "p-retry") {
  const { default: pRetry } = await import("p-retry");
  await pRetry(getCredentials);
} else {
  await getCredentials();
}
const ms = Number(process.hrtime.bigint() - start) / 1e6;
const { user, system } = process.cpuUsage(cpuBefore);
const cpuMs = (user + system) / 1e3;
// No code ends this process, because it must end by itself.
process.stdout.write(JSON.stringify({ ms, cpuMs, doneAt: Date.now() }));
