//! Container image, compose example, nginx configurations, systemd unit, scripts.

use serde_json::Value;

use crate::files::{list, root, string, temporary, text, yaml};
use crate::tools::{run, tool};

/// Folders with an nginx.conf and the holter.yaml that reads its log.
const EXAMPLES: [&str; 2] = ["deploy/compose", "deploy/kubernetes/example"];

#[test]
fn the_dockerfile_has_no_fault_known_to_hadolint() {
    run(tool("hadolint").arg("deploy/Dockerfile"));
}

#[test]
fn compose_fits_its_schema_and_locks_every_service() {
    let file = "deploy/compose/compose.yaml";
    run(tool("check-jsonschema").args(["--builtin-schema", "vendor.compose-spec", file]));
    let compose = yaml(file);
    let services = compose["services"].as_object().unwrap();
    assert_eq!(
        services.keys().collect::<Vec<_>>(),
        ["grafana", "holter", "nginx", "prometheus"]
    );
    for (name, service) in services {
        assert_eq!(service["read_only"], true, "{name}");
        assert_eq!(service["cap_drop"], serde_json::json!(["ALL"]), "{name}");
        assert_eq!(
            service["security_opt"],
            serde_json::json!(["no-new-privileges:true"]),
            "{name}"
        );
        let (_, tag) = string(service, "/image").rsplit_once(':').unwrap();
        assert!(
            tag.contains(|c: char| c.is_ascii_digit()),
            "{name}: a fixed version, not {tag}"
        );
    }
}

/// Compose creates a missing file of the host as an empty folder, silently.
#[test]
fn files_that_compose_mounts_exist() {
    let compose = yaml("deploy/compose/compose.yaml");
    let services = compose["services"].as_object().unwrap().values();
    let volumes = services
        .filter_map(|service| service["volumes"].as_array())
        .flatten();
    let mounted: Vec<_> = volumes
        .filter_map(Value::as_str)
        .filter(|volume| volume.starts_with('.'))
        .filter_map(|volume| volume.split(':').next())
        .collect();
    assert!(mounted.len() >= 8, "{mounted:?}");
    for path in mounted {
        assert!(root("deploy/compose").join(path).exists(), "{path}");
    }
}

#[test]
fn prometheus_accepts_its_configuration() {
    let shipped = text("deploy/compose/prometheus.yaml");
    let here = shipped.replace("/etc/prometheus/alerts", &root("alerts").to_string_lossy());
    assert_ne!(here, shipped);
    let (_folder, path) = temporary("prometheus.yaml", &here);
    run(tool("promtool").args(["check", "config"]).arg(path));
}

#[test]
fn nginx_accepts_its_configurations() {
    for folder in EXAMPLES {
        let temporary = tempfile::tempdir().unwrap();
        let here = temporary.path().to_string_lossy().into_owned();
        let conf = text(format!("{folder}/nginx.conf"))
            .replace("/tmp/", &format!("{here}/"))
            .replace("/var/log/proxy", &here)
            .replace("host.docker.internal", "127.0.0.1");
        let path = temporary.path().join("nginx.conf");
        std::fs::write(&path, conf).unwrap();
        run(tool("nginx").args(["-t", "-e", "stderr", "-c"]).arg(path));
    }
}

/// The text between the quotes of `log_format holter '…'`.
fn log_format(conf: &str) -> &str {
    let (_, rest) = conf.split_once("log_format holter '").unwrap();
    rest.split_once("';").unwrap().0
}

#[test]
fn holter_reads_the_log_that_nginx_writes() {
    for folder in EXAMPLES {
        let conf = text(format!("{folder}/nginx.conf"));
        let holter = yaml(format!("{folder}/holter.yaml"));
        assert_eq!(
            string(&holter, "/logs/0/log_format"),
            log_format(&conf),
            "{folder}"
        );
        let access = string(&holter, "/logs/0/files/0");
        assert!(
            conf.contains(&format!("access_log {access} holter;")),
            "{folder}"
        );
        let errors = string(&holter, "/logs/0/error_files/0");
        assert!(
            conf.contains(&format!("error_log {errors} info;")),
            "{folder}"
        );
    }
}

/// The unit with a binary that exists here: systemd-analyze asks for it.
fn unit() -> (tempfile::TempDir, std::path::PathBuf) {
    let shipped = text("deploy/systemd/holter.service");
    let here = shipped.replace("ExecStart=/usr/local/bin/holter", "ExecStart=/usr/bin/true");
    assert_ne!(here, shipped);
    temporary("holter.service", &here)
}

/// Without `--recursive-errors=yes` unknown keys pass.
#[test]
fn systemd_accepts_the_unit() {
    let (_folder, path) = unit();
    run(tool("systemd-analyze")
        .args(["verify", "--recursive-errors=yes"])
        .arg(path));
}

/// Exposure of 2.0 at most on systemd's scale of 10.
#[test]
fn the_unit_is_hardened() {
    let (_folder, path) = unit();
    run(tool("systemd-analyze")
        .args(["security", "--offline=true", "--threshold=20"])
        .arg(path));
}

#[test]
fn yaml_is_tidy() {
    run(tool("yamllint").args([
        "--strict",
        "-c",
        "scripts/yamllint.yaml",
        "alerts",
        "deploy",
        "scripts",
    ]));
}

#[test]
fn scripts_have_no_fault_known_to_shellcheck() {
    let mut scripts = list("deploy/kubernetes/example", ".sh");
    scripts.extend([root("scripts/setup"), root(".ci/run")]);
    run(tool("shellcheck").args(scripts));
}
