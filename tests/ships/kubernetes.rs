//! The kustomize component, as its example renders it, and the PodMonitor that finds it.

use serde_json::Value;

use crate::files::{items, parse_yaml, string, temporary, yaml};
use crate::tools::{run, tool};

/// Kubernetes versions whose schemas the rendered example must fit: native sidecars from 1.29.
const VERSIONS: [&str; 3] = ["1.29", "1.33", "1.37"];

fn rendered() -> String {
    run(tool("kustomize").args(["build", "deploy/kubernetes/example"]))
}

fn deployment() -> Value {
    let documents = rendered();
    let all = documents.split("\n---\n").map(parse_yaml);
    all.into_iter()
        .find(|document| string(document, "/kind") == "Deployment")
        .unwrap()
}

#[test]
fn the_example_fits_strict_schemas() {
    let (_folder, path) = temporary("example.yaml", &rendered());
    for version in VERSIONS {
        run(tool("kubernetes-validate")
            .args(["--strict", "-k", version])
            .arg(&path));
    }
}

#[test]
fn the_component_adds_a_native_sidecar_and_keeps_the_rest() {
    let deployment = deployment();
    let pod = deployment.pointer("/spec/template/spec").unwrap();
    let names = |pointer| {
        items(pod, pointer)
            .iter()
            .map(|item| string(item, "/name"))
            .collect::<Vec<_>>()
    };
    assert_eq!(names("/initContainers"), ["holter"]);
    assert_eq!(names("/containers"), ["server", "nginx"]);
    let volumes = names("/volumes");
    assert_eq!(volumes.len(), 5, "{volumes:?}");

    let sidecar = &items(pod, "/initContainers")[0];
    assert_eq!(string(sidecar, "/restartPolicy"), "Always");
    assert_eq!(string(sidecar, "/startupProbe/httpGet/path"), "/-/healthy");
    assert_eq!(string(sidecar, "/livenessProbe/httpGet/path"), "/-/healthy");
    assert!(
        sidecar.get("readinessProbe").is_none(),
        "it would decide the Pod's readiness"
    );
    let mounts = items(sidecar, "/volumeMounts").iter();
    let written: Vec<_> = mounts
        .filter(|mount| mount["readOnly"] != true)
        .map(|mount| string(mount, "/mountPath"))
        .collect();
    assert_eq!(written, ["/var/lib/holter"]);
    let stores = serde_json::json!("--storage.path=/var/lib/holter");
    assert!(items(sidecar, "/args").contains(&stores));
    assert!(
        sidecar.pointer("/resources/limits/cpu").is_none(),
        "throttling looks like heartbeat gaps"
    );
    let security = &sidecar["securityContext"];
    assert_eq!(security["runAsNonRoot"], true);
    assert_eq!(security["readOnlyRootFilesystem"], true);
    assert_eq!(security["allowPrivilegeEscalation"], false);
    assert_eq!(
        security["capabilities"],
        serde_json::json!({"drop": ["ALL"]})
    );
}

#[test]
fn a_deployment_without_the_label_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let from = |path: &str| crate::files::root("deploy/kubernetes").join(path);
    let copy = |path: &str| {
        let to = folder.path().join(path);
        std::fs::create_dir_all(to.parent().unwrap()).unwrap();
        let written = std::fs::read_to_string(from(path)).unwrap();
        std::fs::write(
            to,
            written.replace("holter/inject: \"true\"", "holter/inject: \"false\""),
        )
        .unwrap();
    };
    for name in [
        "kustomization.yaml",
        "mcp.yaml",
        "holter.yaml",
        "nginx.conf",
        "run-nginx.sh",
    ] {
        copy(&format!("example/{name}"));
    }
    copy("component/kustomization.yaml");
    copy("component/sidecar.yaml");
    let rendered = run(tool("kustomize")
        .arg("build")
        .arg(folder.path().join("example")));
    assert!(rendered.contains("kind: Deployment") && !rendered.contains("initContainers"));
}

/// The schema lets unknown fields pass, so the fields are named here.
#[test]
fn the_pod_monitor_fits_the_operator_and_finds_the_sidecar() {
    run(tool("node").args([
        "tests/tools-npm/podmonitor.mjs",
        "deploy/kubernetes/podmonitor.yaml",
    ]));
    let monitor = yaml("deploy/kubernetes/podmonitor.yaml");
    let expected = serde_json::json!({
        "selector": {"matchLabels": {"holter/inject": "true"}},
        "podMetricsEndpoints": [
            {"port": "holter-metrics", "path": "/metrics", "interval": "15s", "scrapeTimeout": "10s"},
        ],
    });
    assert_eq!(monitor["spec"], expected);

    let deployment = deployment();
    let labels = &deployment["spec"]["template"]["metadata"]["labels"];
    assert_eq!(labels["holter/inject"], "true");
    let sidecar = &items(&deployment, "/spec/template/spec/initContainers")[0];
    assert_eq!(string(sidecar, "/ports/0/name"), "holter-metrics");
}
