// SPDX-License-Identifier: Apache-2.0
// Reads workflow files with GitHub's own parser and prints, as JSON, what it finds wrong with
// each and what each says: [{file, diagnostics: [{line, severity, message}], workflow}].
import { readFile } from "node:fs/promises";
import { basename } from "node:path";
import { validate } from "@actions/languageservice/validate";
import { TextDocument } from "vscode-languageserver-textdocument";
import { parse } from "yaml";

const out = [];
for (const file of process.argv.slice(2)) {
    const text = await readFile(file, "utf8");
    // The parser decides by its place that a file is a workflow.
    const uri = `file:///repository/.github/workflows/${basename(file)}`;
    const found = await validate(TextDocument.create(uri, "yaml", 1, text), {});
    const diagnostics = found.map(({ range, severity, message }) =>
        ({ line: range.start.line + 1, severity, message }));
    let workflow = null;
    try {
        workflow = parse(text);
    } catch (error) {
        diagnostics.push({ line: 0, severity: 1, message: `not YAML: ${error.message}` });
    }
    out.push({ file, diagnostics, workflow });
}
console.log(JSON.stringify(out));
