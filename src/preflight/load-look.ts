let loading: Promise<typeof import("./look-at-subject.js")> | undefined;

/**
 * Loads most of the room, at the first look. Kept: whatever follows the imports of a process (a
 * tracer, a transpiler) has work with each, more than a warm look is.
 */
export function loadLook(): Promise<typeof import("./look-at-subject.js")> {
  loading ??= import("./look-at-subject.js").catch((error: unknown) => {
    // Too many open files, and the like: it may pass.
    loading = undefined;
    throw error;
  });
  return loading;
}
