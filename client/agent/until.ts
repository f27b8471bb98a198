/** Milliseconds between two looks. */
const PERIOD = 20;

/** Looks until it is so, for at most `deadline` milliseconds. Whether it came to be so. */
export async function until(isSo: () => boolean | Promise<boolean>, deadline: number): Promise<boolean> {
  for (const end = performance.now() + deadline; ; ) {
    if (await isSo()) return true;
    if (performance.now() >= end) return false;
    await new Promise((resolve) => setTimeout(resolve, PERIOD));
  }
}
