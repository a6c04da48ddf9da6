// SPDX-License-Identifier: Apache-2.0
// What GitHub's own library for actions writes, for comparison with ours. Reads JSON from
// stdin: [{command, properties, message}] or [{output, value}]; prints what it wrote to stdout
// and to $GITHUB_OUTPUT as a JSON list of strings.
import { readFileSync, writeFileSync } from "node:fs";
import { error, notice, setOutput, warning } from "@actions/core";

const commands = { error, notice, warning };
const results = [];
const write = process.stdout.write.bind(process.stdout);
for (const asked of JSON.parse(readFileSync(0, "utf8"))) {
    let written = "";
    if ("output" in asked) {
        writeFileSync(process.env.GITHUB_OUTPUT, "");
        setOutput(asked.output, asked.value);
        written = readFileSync(process.env.GITHUB_OUTPUT, "utf8");
    } else {
        process.stdout.write = (chunk) => { written += chunk; return true; };
        commands[asked.command](asked.message, asked.properties);
        process.stdout.write = write;
    }
    results.push(written);
}
write(JSON.stringify(results));
