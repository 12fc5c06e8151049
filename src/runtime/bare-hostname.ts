/** A URL's host in the form that sockets and resolvers accept: an IPv6 address without brackets. */
export function bareHostname({ hostname }: Pick<URL, "hostname">): string {
  return hostname.replace(/^\[|\]$/g, "");
}
