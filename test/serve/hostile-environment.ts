import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";

const KEYS = "aws_access_key_id = AKIAINHERITED\naws_secret_access_key = inherited\n";

/**
 * The environment of a machine where everything that can win over this package's credentials is set:
 * keys, profiles with keys, a role, another container endpoint, and a proxy.
 */
export async function hostileEnvironment(
  folder: string,
  proxyUrl: string,
): Promise<Readonly<Record<string, string>>> {
  const own = join(folder, "inherited");
  await mkdir(own);
  const file = async (name: string, text: string) => {
    const path = join(own, name);
    await writeFile(path, text);
    return path;
  };
  return {
    AWS_ACCESS_KEY_ID: "AKIAINHERITED",
    AWS_SECRET_ACCESS_KEY: "inherited",
    AWS_SESSION_TOKEN: "inherited",
    AWS_SECURITY_TOKEN: "inherited",
    AWS_CREDENTIAL_EXPIRATION: "2100-01-01T00:00:00Z",
    AWS_ACCESS_KEY: "AKIAINHERITED",
    AWS_SECRET_KEY: "inherited",
    AWS_PROFILE: "inherited",
    AWS_DEFAULT_PROFILE: "inherited",
    AWS_CONFIG_FILE: await file("config", `[default]\n${KEYS}[profile inherited]\n${KEYS}`),
    AWS_SHARED_CREDENTIALS_FILE: await file(
      "credentials",
      `[default]\n${KEYS}[inherited]\n${KEYS}`,
    ),
    BOTO_CONFIG: await file("boto.cfg", `[Credentials]\n${KEYS}`),
    AWS_CREDENTIAL_FILE: await file(
      "legacy",
      "AWSAccessKeyId=AKIAINHERITED\nAWSSecretKey=inherited\n",
    ),
    AWS_CONTAINER_CREDENTIALS_RELATIVE_URI: "/inherited",
    AWS_CONTAINER_CREDENTIALS_FULL_URI: "http://127.0.0.1:1/inherited",
    AWS_CONTAINER_AUTHORIZATION_TOKEN: "inherited",
    AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: join(own, "legacy"),
    HTTP_PROXY: proxyUrl,
    http_proxy: proxyUrl,
    HTTPS_PROXY: proxyUrl,
    https_proxy: proxyUrl,
  };
}
