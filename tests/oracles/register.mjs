// SPDX-License-Identifier: Apache-2.0
// node --import ./register.mjs: JSON files can be imported without import attributes, which
// some of the packages rely on and Node 20 refuses.
import { register } from "node:module";

register("./json-modules.mjs", import.meta.url);
