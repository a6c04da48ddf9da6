// SPDX-License-Identifier: Apache-2.0
// Loader hook: a .json file is a module whose default export is its value.
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";

export async function load(url, context, next) {
    if (!url.startsWith("file:") || !url.endsWith(".json"))
        return next(url, context);
    const text = await readFile(fileURLToPath(url), "utf8");
    return { format: "module", shortCircuit: true, source: `export default ${text};` };
}
