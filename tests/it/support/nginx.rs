//! A real nginx before the replicas, set up as the README recommends, with few things to vary.
//!
//! It runs as one process in the foreground (`master_process off`), so a SIGKILL leaves nothing behind.
//! The configuration holds for Debian 12's nginx 1.22, which has no `sticky`. It does not know Holter.

use super::node::{Replica, Replicas};
use super::processes::{Process, read, show};
use super::{eventually, free_address, http, tool};
use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use tempfile::TempDir;

/// The `log_format` that the README recommends.
pub(crate) const LOG_FORMAT: &str = r#"$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent" conn=$connection completion="$request_completion" rt=$request_time upstream="$upstream_addr" us_status="$upstream_status" uht="$upstream_header_time" sid="$http_mcp_session_id" up_sid="$upstream_http_mcp_session_id" mcp="$http_mcp_method" ct="$sent_http_content_type" uct="$upstream_connect_time""#;

/// How nginx chooses the replica of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Balance {
    /// In turn, whatever the session.
    RoundRobin,
    /// By the client's address.
    IpHash,
    /// In turn for clients without the cookie `route`, then by that cookie.
    Cookie,
}

/// A running nginx.
pub(crate) struct Nginx {
    pub(crate) address: SocketAddr,
    folder: TempDir,
    _process: Process,
}

impl Nginx {
    /// Starts it before `replicas` and waits until it answers. `read_timeout_seconds` is its
    /// `proxy_read_timeout`.
    pub(crate) fn start(replicas: &Replicas, balance: Balance, read_timeout_seconds: u32) -> Self {
        let address = free_address();
        let upstreams = upstreams(replicas, balance);
        let (target, cookie) = match balance {
            Balance::RoundRobin | Balance::IpHash => ("replicas", ""),
            Balance::Cookie => ("$kept", "add_header Set-Cookie $new_cookie always;"),
        };
        let location = format!(
            "proxy_pass http://{target};
            proxy_http_version 1.1;
            proxy_set_header Connection \"\";
            proxy_set_header Host $http_host;
            proxy_buffering off;
            proxy_read_timeout {read_timeout_seconds}s;
            {cookie}"
        );
        Self::configured(address, &configuration(address, &upstreams, &location))
    }

    /// Starts it before one server with nothing set but `proxy_buffering`, which is `on` by default.
    pub(crate) fn buffering(server: SocketAddr, is_on: bool) -> Self {
        let address = free_address();
        let word = if is_on { "on" } else { "off" };
        let location = format!("proxy_pass http://{server}; proxy_buffering {word};");
        Self::configured(address, &configuration(address, "", &location))
    }

    fn configured(address: SocketAddr, text: &str) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        fs::write(folder.path().join("nginx.conf"), text).expect("nginx.conf");
        let mut command = Command::new(tool("nginx"));
        command
            .arg("-p")
            .arg(folder.path())
            .args(["-c", "nginx.conf", "-e", "error.log"]);
        let mut process = Process::start("nginx", folder.path(), &mut command);
        process.wait_until("an answer", |_| {
            http::get(address, "/ready").map_err(|error| error.to_string())
        });
        Self {
            address,
            folder,
            _process: process,
        }
    }

    /// Where its access log is.
    pub(crate) fn access_log(&self) -> PathBuf {
        self.folder.path().join("access.log")
    }

    /// Where its error log is, at level `info`.
    pub(crate) fn error_log(&self) -> PathBuf {
        self.folder.path().join("error.log")
    }

    /// Waits for a line of the access log that contains all of `parts`.
    pub(crate) fn wait_for_access(&self, parts: &[&str]) -> String {
        self.wait_for("access log", &self.access_log(), parts)
    }

    /// Waits for a line of the error log that contains all of `parts`.
    pub(crate) fn wait_for_error(&self, parts: &[&str]) -> String {
        self.wait_for("error log", &self.error_log(), parts)
    }

    fn wait_for(&self, what: &str, file: &std::path::Path, parts: &[&str]) -> String {
        eventually(&format!("a line with {parts:?} in the {what}"), || {
            let text = read(file);
            let found = text
                .lines()
                .find(|line| parts.iter().all(|part| line.contains(part)));
            found.map(str::to_owned).ok_or_else(|| text.clone())
        })
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        if std::thread::panicking() {
            show(&self.access_log());
            show(&self.error_log());
        }
    }
}

/// The whole configuration. All paths in it are relative to the prefix, `-p`.
fn configuration(address: SocketAddr, upstreams: &str, location: &str) -> String {
    format!(
        r#"
daemon off;
master_process off;
pid nginx.pid;
error_log error.log info;
events {{ worker_connections 256; }}
http {{
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    log_format holter '{LOG_FORMAT}';
    access_log access.log holter;
    # Clients of the test say where they come from; ip_hash and the log then see that address.
    set_real_ip_from 127.0.0.1;
    real_ip_header X-Real-IP;
    {upstreams}
    server {{
        listen {address};
        location = /ready {{ access_log off; return 204; }}
        location / {{
            {location}
        }}
    }}
}}
"#
    )
}

/// The replicas, and the cookie `route` that names one: who has none gets the name of the replica that
/// answered.
fn upstreams(replicas: &Replicas, balance: Balance) -> String {
    let each = |line: fn(&Replica) -> String| replicas.all().iter().map(line).collect::<String>();
    let method = match balance {
        Balance::RoundRobin | Balance::Cookie => "",
        Balance::IpHash => "ip_hash;",
    };
    let servers = each(|r| format!("server {};", r.address));
    let by_name = each(|r| format!("{} {};", r.name, r.address));
    let by_address = each(|r| format!("{} {};", r.address, r.name));
    format!(
        "upstream replicas {{ {method} {servers} }}\n\
         map $cookie_route $kept {{ default replicas; {by_name} }}\n\
         map $upstream_addr $answered {{ {by_address} }}\n\
         map $cookie_route $new_cookie {{ \"\" \"route=$answered; Path=/\"; }}\n"
    )
}
