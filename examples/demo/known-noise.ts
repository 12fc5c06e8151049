/** The exact warning to suppress: the demo says the same in a line of its own. */
const UNSUPPORTED_RUNTIME = "Unsupported runtime. Use Node.js v22.x LTS, or a later LTS release.";

/**
 * Imports `oidc-provider` without the warning that it prints on a Node release it does not support.
 * Any other warning is printed.
 */
export async function importOidcProvider(): Promise<typeof import("oidc-provider")> {
  const { warn } = console;
  console.warn = (...parts: unknown[]) => {
    if (!String(parts[0]).includes(UNSUPPORTED_RUNTIME)) warn(...parts);
  };
  try {
    return await import("oidc-provider");
  } finally {
    console.warn = warn;
  }
}

/** Turns off the AWS SDK's warning about Node releases that it will no longer support. */
export function muteSdkVersionNotice(): void {
  process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED = "true";
}

/** What the two warnings say, on a Node release that they concern. */
export function versionNotice(): string | undefined {
  const major = Number(process.versions.node.split(".")[0]);
  if (major >= 22) return undefined;
  return `Node ${process.version}: enough for this demo. oidc-provider supports 22 and later, and so does the AWS SDK from January 2027.`;
}
