//! What keeps Holter from starting: one line on stderr that names the place and what was expected, and
//! exit code 2. The texts are a contract: people search for them.

use crate::support::holter::refusal;
use std::fs::{self, Permissions};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::Command;

const FLAGS: [&str; 4] = [
    "--web.listen-address",
    "127.0.0.1:0",
    "--config.file",
    "holter.yaml",
];

#[test]
fn a_bad_configuration_is_refused_in_one_line() {
    fn check(files: &[(&str, &str)], line: &str) {
        let expected = (format!("{line}\n"), Some(2));
        assert_eq!(refusal(files, &FLAGS), expected, "{files:?}");
    }
    let yaml = |text| [("holter.yaml", text)];
    check(
        &yaml("canary:\n  - name: a\n"),
        r#"holter.yaml:1:1: unknown key "canary"; expected one of: canaries, logs"#,
    );
    check(
        &yaml(
            "canaries:\n  - name: weather\n    direct: http://127.0.0.1:3001/mcp\n  \
             - name: weather\n    direct: http://127.0.0.1:3002/mcp\n",
        ),
        r#"holter.yaml:4:11: canaries[1].name: duplicate canary name "weather"; expected another, line 2 has it"#,
    );
    check(
        &yaml("canaries:\n  - name: weather\n    direct: http:///mcp\n"),
        r#"holter.yaml:3:13: canaries[0].direct: URL has no host: "http:///mcp"; expected http://HOST[:PORT]/PATH"#,
    );
    check(
        &yaml(
            "logs:\n  - name: edge\n    format: nginx\n    log_format: '$request$status'\n    files: [a.log]\n",
        ),
        "holter.yaml:4:17: logs[0].log_format: bad log_format: line 1, column 9: nothing between two variables; \
         expected text that separates their values",
    );
    check(
        &[],
        "holter: cannot read configuration holter.yaml: No such file or directory (os error 2)",
    );
}

#[test]
fn an_unreadable_configuration_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    // The superuser may read everything, so the program runs as nobody, from where nobody may run it.
    fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
    let program = folder.path().join("holter");
    fs::copy(env!("CARGO_BIN_EXE_holter"), &program).unwrap();
    let file = folder.path().join("holter.yaml");
    fs::write(&file, "logs: []\n").unwrap();
    fs::set_permissions(&file, Permissions::from_mode(0o000)).unwrap();
    let mut command = Command::new(program);
    command.current_dir(folder.path()).args(FLAGS);
    if fs::read(&file).is_ok() {
        command.uid(65534);
    }
    let refused = command.output().unwrap();
    let line = "holter: cannot read configuration holter.yaml: Permission denied (os error 13)\n";
    assert_eq!(
        (
            String::from_utf8_lossy(&refused.stderr).as_ref(),
            refused.status.code()
        ),
        (line, Some(2))
    );
}

#[test]
fn an_address_in_use_is_refused() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let direct = "http://127.0.0.1:9/mcp";
    let refused = refusal(
        &[],
        &["--canary.direct", direct, "--web.listen-address", &address],
    );
    let line =
        format!("holter: cannot listen on {address}: Address already in use (os error 98)\n");
    assert_eq!(refused, (line, Some(2)));
}

#[test]
fn nothing_to_watch_is_refused() {
    let line = "holter: nothing to watch; give --config.file FILE, or --canary.proxy URL, --canary.direct URL, \
                --log.nginx FILE; to see it work: holter demo\n";
    assert_eq!(refusal(&[], &[]), (line.to_owned(), Some(2)));
}
