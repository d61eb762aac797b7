// node check.mjs FILE...: validate dashboards against the schema made from Grafana's types.
import { readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import Ajv from "ajv";
import { createGenerator } from "ts-json-schema-generator";

const here = dirname(fileURLToPath(import.meta.url));
const schema = createGenerator({
  path: join(here, "dashboard.ts"),
  tsconfig: join(here, "tsconfig.json"),
  type: "Dashboard",
  skipTypeCheck: true,
  additionalProperties: false,
}).createSchema("Dashboard");
const validate = new Ajv({ allErrors: true, strict: false, verbose: false }).compile(schema);

let faults = 0;
for (const file of process.argv.slice(2)) {
  if (validate(JSON.parse(readFileSync(file, "utf8")))) continue;
  // A union complains of every member; what one member finds at the deepest place says most.
  const found = validate.errors.filter((e) => !["anyOf", "const"].includes(e.keyword));
  for (const e of found.slice(0, 40)) {
    faults += 1;
    console.error(`${basename(file)}${e.instancePath}: ${e.message} ${JSON.stringify(e.params)}`);
  }
}
process.exit(faults ? 1 : 0);
