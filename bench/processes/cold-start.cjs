// The same for a program in CommonJS.
if (process.env.LOADED_BEFORE !== undefined) require(process.env.LOADED_BEFORE);
const start = process.hrtime.bigint();
const cpuBefore = process.cpuUsage();
const [specifier, mode] = process.argv.slice(2);

function provider() {
  if (specifier === "@aws-sdk/client-sts") return floor(require(specifier));
  const { fromTokenFile } = require(specifier);
  if (specifier !== "resilient-sts") return fromTokenFile();
  return fromTokenFile({ preflight: { mode, allowPrivateIssuers: true } });
}

function floor({ STSClient, AssumeRoleWithWebIdentityCommand }) {
  return async () => {
    const { readFileSync } = require("node:fs");
    const client = new STSClient({});
    const input = {
      RoleArn: process.env.AWS_ROLE_ARN,
      RoleSessionName: "bench",
      WebIdentityToken: readFileSync(process.env.AWS_WEB_IDENTITY_TOKEN_FILE, "utf8"),
    };
    return client.send(new AssumeRoleWithWebIdentityCommand(input));
  };
}

const getCredentials = provider();
getCredentials().then(() => {
  const ms = Number(process.hrtime.bigint() - start) / 1e6;
  const { user, system } = process.cpuUsage(cpuBefore);
  const cpuMs = (user + system) / 1e3;
  process.stdout.write(JSON.stringify({ ms, cpuMs, doneAt: Date.now() }));
});
