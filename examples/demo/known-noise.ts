/** Kept from the terminal, word for word: the demo says the same in one line of its own. */
const UNSUPPORTED_RUNTIME = "Unsupported runtime. Use Node.js v22.x LTS, or a later LTS release.";

/**
 * Imports `oidc-provider` without the warning that it prints on a Node release it does not support.
 * Any other warning comes through.
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

/** Tells the AWS SDK to keep its notice about the Node releases it is going to drop to itself. */
export function muteSdkVersionNotice(): void {
  process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED = "true";
}

/** What the two would have said, if they would have. */
export function versionNotice(): string | undefined {
  const major = Number(process.versions.node.split(".")[0]);
  if (major >= 22) return undefined;
  return `Node ${process.version}: fine for this demo, but oidc-provider asks for 22 or later, and from January 2027 the AWS SDK does too.`;
}
