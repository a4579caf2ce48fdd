// Checks one PodMonitor file against the Prometheus Operator's schema: node podmonitor.mjs FILE.
// The schema's types and patterns only: it lets unknown fields pass, so tests/ships names the fields.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { parse } from "yaml";

const { PodMonitor } = createRequire(import.meta.url)(
  "@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/PodMonitor",
);
const written = parse(readFileSync(process.argv[2], "utf8"));
if (written.apiVersion !== "monitoring.coreos.com/v1" || written.kind !== "PodMonitor") {
  throw new Error(`not a monitoring.coreos.com/v1 PodMonitor: ${written.apiVersion} ${written.kind}`);
}
new PodMonitor(written).validate();
