//! Logs that may not be read for a while: rotation creates a file before it gives it away, and folders of others stand
//! beside one's own. Nothing of that keeps Holter from starting or reloading; `holter check` says it.

use std::fs::{self, OpenOptions, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use tempfile::TempDir;

use crate::support::holter::{Holter, checked_unprivileged};
use crate::support::http;

const LINE: &str =
    "127.0.0.1 - - [20/Nov/2026:09:59:41 +0000] \"GET /other HTTP/1.1\" 200 2 \"-\" \"curl/8\"\n";
const LINES: &str = r#"holter_log_lines_total{source="a"}"#;
const OK: &str = "holter_config_last_reload_successful";

/// Logs in a folder that everybody may write to, and a place to store counts.
struct Scene(TempDir);

impl Scene {
    fn new() -> Self {
        let scene = Self(TempDir::new().unwrap());
        scene.mode("", 0o777);
        scene
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn mode(&self, name: &str, mode: u32) {
        fs::set_permissions(self.path(name), Permissions::from_mode(mode)).unwrap();
    }

    fn append(&self, log: &str, lines: usize) {
        let mut file = OpenOptions::new();
        let file = file.append(true).create(true).open(self.path(log));
        file.unwrap()
            .write_all(LINE.repeat(lines).as_bytes())
            .unwrap();
    }

    fn configuration(&self, pattern: &str) -> String {
        let pattern = self.path(pattern).display().to_string();
        format!(
            "logs:\n- {{ name: a, format: nginx, log_format: combined, files: ['{pattern}'] }}\n"
        )
    }

    fn start(&self, pattern: &str) -> Holter {
        let storage = self.path("storage").display().to_string();
        let flags = ["--web.enable-lifecycle", "--storage.path", &storage];
        Holter::unprivileged(&self.configuration(pattern), &flags)
    }
}

/// Killed while the new file is still the superuser's alone, as logrotate's `create` makes it.
#[test]
fn a_log_that_may_not_be_read_yet_is_gone_on_with_after_a_crash() {
    let scene = Scene::new();
    scene.append("access.log", 0);
    let mut holter = scene.start("access.log");
    scene.append("access.log", 100);
    holter.wait_for(LINES, |lines| lines == 100.0);
    fs::rename(scene.path("access.log"), scene.path("access.log.1")).unwrap();
    scene.append("access.log", 50);
    scene.mode("access.log", 0o000);
    holter.kill();
    for _ in 0..2 {
        let mut holter = scene.start("access.log");
        let said = holter.log();
        assert!(
            said.contains("WARN") && said.contains("Permission denied"),
            "{said}"
        );
        assert_eq!(holter.scrape().sum(LINES), Ok(100.0));
        holter.kill();
    }
    let holter = scene.start("access.log");
    scene.mode("access.log", 0o644);
    holter.wait_for(LINES, |lines| lines == 150.0);

    scene.mode("access.log", 0o000);
    let changed = scene
        .configuration("access.log")
        .replace("combined", "combined, streams: { paths: [/x] }");
    fs::write(holter.file(), changed).unwrap();
    let answer = http::request(holter.address, "POST /-/reload", &[], "").unwrap();
    assert_eq!((answer.status, &*answer.body), (200, "Reloaded.\n"));
    assert_eq!(holter.scrape().sum(OK), Ok(1.0));
    scene.append("access.log", 1);
    scene.mode("access.log", 0o644);
    holter.wait_for(LINES, |lines| lines == 151.0);
}

#[test]
fn folders_that_may_not_be_listed_stand_in_nobody_s_way() {
    let scene = Scene::new();
    for folder in ["mine", "private"] {
        fs::create_dir(scene.path(folder)).unwrap();
    }
    scene.append("mine/0.log", 0);
    scene.append("private/0.log", 0);
    scene.mode("private", 0o700);
    let holter = scene.start("*/*.log");
    scene.append("mine/0.log", 1);
    holter.wait_for(LINES, |lines| lines == 1.0);
    drop(holter);
    let holter = scene.start("private/0.log");
    assert_eq!(holter.scrape().sum(LINES), Ok(1.0));
}

#[test]
fn check_says_what_may_not_be_read() {
    let scene = Scene::new();
    scene.append("access.log", 1);
    scene.mode("access.log", 0o000);
    let (said, code) = checked_unprivileged(&scene.configuration("access.log"));
    let expected = "access.log: Permission denied (os error 13); expected a readable file\n";
    assert!(
        said.ends_with(expected) && said.lines().count() == 1,
        "{said}"
    );
    assert_eq!(code, Some(2));
}
