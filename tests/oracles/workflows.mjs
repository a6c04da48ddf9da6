// SPDX-License-Identifier: Apache-2.0
// Reads workflow files, and action.yml of actions, with GitHub's own parser and prints, as JSON, what it
// finds wrong with each and what each says: [{file, diagnostics: [{line, severity, message}], workflow}].
// A workflow that one calls as `./.github/workflows/x.yml` is read from beside it: inputs and
// permissions that do not fit are found, too.
import { readFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { validate } from "@actions/languageservice/validate";
import { TextDocument } from "vscode-languageserver-textdocument";
import { parse } from "yaml";

const out = [];
for (const file of process.argv.slice(2)) {
    const text = await readFile(file, "utf8");
    // The parser decides by its place what a file is.
    const name = basename(file);
    const place = name === "action.yml" ? "actions/one" : "workflows";
    const uri = `file:///repository/.github/${place}/${name}`;
    const fileProvider = {
        getFileContent: async ({ path }) => ({
            name: path,
            content: await readFile(join(dirname(file), basename(path)), "utf8"),
        }),
    };
    const found = await validate(TextDocument.create(uri, "yaml", 1, text), { fileProvider });
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
