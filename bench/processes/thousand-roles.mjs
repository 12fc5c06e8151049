import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { AssumeRoleWithWebIdentityCommand, STSClient } from "@aws-sdk/client-sts";
import { fromWebToken as stockFromWebToken } from "@aws-sdk/credential-provider-web-identity";
import pRetry from "p-retry";
import { fromWebToken } from "resilient-sts";

// One contender in its own process: measures the memory of a thousand roles. Uses the built package, as
// users do, because the TypeScript runner here adds a name to every function, which takes memory.

const [contender = "", endpoint = "", webIdentityToken = "", count = ""] = process.argv.slice(2);
const clientConfig = { endpoint, region: "eu-west-1" };

const floorClient = new STSClient(clientConfig);
const floor = (roleArn) => async () => {
  const input = { RoleArn: roleArn, RoleSessionName: "bench", WebIdentityToken: webIdentityToken };
  return (await floorClient.send(new AssumeRoleWithWebIdentityCommand(input))).Credentials;
};
const stock = (roleArn) => stockFromWebToken({ webIdentityToken, roleArn, clientConfig });
const makers = {
  ours: (roleArn) => fromWebToken({ webIdentityToken, roleArn, clientConfig, preflight: "off" }),
  stock,
  "stock + p-retry": (roleArn) => {
    const getCredentials = stock(roleArn);
    return () => pRetry(() => getCredentials());
  },
  floor,
};
const make = makers[contender];
if (make === undefined) throw new TypeError(`no contender ${contender}`);

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc");
const heapMb = () => {
  collectGarbage();
  return process.memoryUsage().heapUsed / 2 ** 20;
};

const roleArn = (role) => `arn:aws:iam::123456789012:role/app-${role}`;
// Load and warm up the SDK before any contender runs.
await make(roleArn("warm"))();
const before = heapMb();
const start = performance.now();
const providers = Array.from({ length: Number(count) }, (_, role) => make(roleArn(role)));
const credentials = await Promise.all(providers.map((getCredentials) => getCredentials()));
const ms = performance.now() - start;
const after = heapMb();
process.send?.({ heapMb: after - before, ms, roles: credentials.length });
// The parent counts the sockets that are still open, and then ends this process.
process.on("message", () => process.exit(providers.length > 0 ? 0 : 1));
