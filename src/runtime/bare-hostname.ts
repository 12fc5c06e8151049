/** A URL's host as sockets and resolvers take it: an IPv6 address without its brackets. */
export function bareHostname({ hostname }: Pick<URL, "hostname">): string {
  return hostname.replace(/^\[|\]$/g, "");
}
