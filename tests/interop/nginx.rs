//! A real nginx that sends requests to two replicas in turn, whatever their session.

use crate::support::http;
use crate::support::processes::Process;
use crate::support::{free_address, tool};
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

/// A running nginx.
pub(crate) struct Nginx {
    pub(crate) address: SocketAddr,
    _process: Process,
}

impl Nginx {
    /// Starts it before `replicas`, with its files in `folder`, and waits until it answers.
    pub(crate) fn start(folder: &Path, replicas: [SocketAddr; 2]) -> Self {
        let address = free_address();
        let prefix = folder.join("nginx");
        fs::create_dir(&prefix).expect("nginx's folder");
        fs::write(prefix.join("nginx.conf"), configuration(address, replicas)).expect("nginx.conf");
        let mut command = Command::new(tool("nginx"));
        command
            .arg("-p")
            .arg(&prefix)
            .args(["-c", "nginx.conf", "-e", "error.log"]);
        let mut process = Process::start("nginx", folder, &mut command);
        process.wait_until("an answer", |_| {
            http::get(address, "/ready").map_err(|error| error.to_string())
        });
        Self {
            address,
            _process: process,
        }
    }
}

/// One process in the foreground, so that a SIGKILL leaves nothing behind and the turns are strict. The `Host`
/// is the client's: SDKs refuse others.
fn configuration(address: SocketAddr, [one, two]: [SocketAddr; 2]) -> String {
    format!(
        r#"
daemon off;
master_process off;
pid nginx.pid;
error_log error.log;
events {{ worker_connections 256; }}
http {{
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    access_log off;
    upstream replicas {{ server {one} max_fails=0; server {two} max_fails=0; }}
    server {{
        listen {address};
        location = /ready {{ return 204; }}
        location / {{
            proxy_pass http://replicas;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host $http_host;
            proxy_buffering off;
            proxy_read_timeout 300s;
        }}
    }}
}}
"#
    )
}
