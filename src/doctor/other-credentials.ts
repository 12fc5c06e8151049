import { readFile } from "node:fs/promises";
import type { Finding } from "../model/findings.js";
import { type Environment, readVariable } from "../runtime/environment.js";
import { safeText } from "../runtime/redact.js";

/** A source of credentials that does not use web identity. */
interface OtherCredentials {
  /** `EKS Pod Identity`, as the end of a sentence. */
  readonly from: string;
  /** What shows that the workload uses it. */
  readonly evidence: string;
  readonly remedy: string;
}

const KEEP =
  "Workload: nothing has to change if the service uses the SDK's default chain; fromTokenFile() does not apply here.";
const USE_IRSA =
  "To use web identity on EKS, annotate the service account with eks.amazonaws.com/role-arn, remove its Pod Identity association and restart the pod.";

/** The agent's addresses (Amazon EKS User Guide, "Understand how EKS Pod Identity works"). */
const POD_IDENTITY_HOSTS: readonly string[] = ["169.254.170.23", "[fd00:ec2::23]"];

/** What the machine's firmware says on EC2 (EC2 User Guide, "Identify EC2 instances"). */
const VENDOR_FILE = "/sys/devices/virtual/dmi/id/sys_vendor";

/** The vendor that this machine's firmware names. */
export async function readMachineVendor(): Promise<string | undefined> {
  return await readFile(VENDOR_FILE, "utf8").then(
    (text) => text.trim(),
    () => undefined,
  );
}

/**
 * Finds the other credentials that the environment names, in the order of the SDK's default chain. It
 * sends no request: an instance role is only assumed from the vendor of the machine.
 */
export function otherCredentials(
  env: Environment,
  vendor: string | undefined,
): Finding | undefined {
  const other = fromEnvironment(env) ?? fromMachine(env, vendor);
  if (other === undefined) return undefined;
  return {
    id: "token-unreadable",
    severity: "fatal",
    title: `This workload gets its credentials from ${other.from}; web identity is not in use.`,
    detail: `${other.evidence}, and nothing names a web identity token.`,
    remedy: other.remedy,
    evidence: { credentialsFrom: other.from },
  };
}

function fromEnvironment(env: Environment): OtherCredentials | undefined {
  if (readVariable(env, "AWS_ACCESS_KEY_ID") !== undefined) {
    const isLambda = readVariable(env, "AWS_LAMBDA_FUNCTION_NAME") !== undefined;
    const from = isLambda
      ? "the execution role of its Lambda function"
      : "access keys in its environment";
    return { from, evidence: "AWS_ACCESS_KEY_ID is set", remedy: KEEP };
  }
  if (readVariable(env, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") !== undefined) {
    const evidence = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI is set";
    return { from: "its ECS task role", evidence, remedy: KEEP };
  }
  const url = readVariable(env, "AWS_CONTAINER_CREDENTIALS_FULL_URI");
  if (url === undefined) return undefined;
  const host = URL.canParse(url) ? new URL(url).hostname : "";
  const evidence = `AWS_CONTAINER_CREDENTIALS_FULL_URI names ${safeText(host, 100) || "no URL"}`;
  return POD_IDENTITY_HOSTS.includes(host)
    ? { from: "EKS Pod Identity", evidence, remedy: `${KEEP} ${USE_IRSA}` }
    : { from: "a container credentials endpoint", evidence, remedy: KEEP };
}

function fromMachine(env: Environment, vendor: string | undefined): OtherCredentials | undefined {
  if (vendor !== "Amazon EC2") return undefined;
  const evidence = "This machine is an EC2 instance (its instance metadata was not asked)";
  if (readVariable(env, "KUBERNETES_SERVICE_HOST") === undefined) {
    return { from: "its EC2 instance role, if it has one", evidence, remedy: KEEP };
  }
  const remedy =
    "Workload: to use web identity on EKS, annotate the service account with eks.amazonaws.com/role-arn and restart the pod; until then the pod has its node's role, where the node lets pods reach its metadata.";
  return { from: "the EC2 instance role of its node, if it may", evidence, remedy };
}
