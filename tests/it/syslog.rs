//! What real proxies send by syslog: read as what they write to files.

use crate::support::haproxy::HaProxy;
use crate::support::holter::Holter;
use crate::support::processes::Process;
use crate::support::{eventually, free_address, http, tool};
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::process::Command;

const STREAMS: &str = "holter_log_streams_closed_total";

/// Each way in which HAProxy can send, to a source of its own.
#[test]
fn haproxy_by_every_way() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("log.sock");
    let holter = Holter::start(&format!(
        "logs:
- {{ name: old, format: haproxy, syslog: 'udp://127.0.0.1:0' }}
- {{ name: new, format: haproxy, syslog: 'udp://127.0.0.1:0' }}
- {{ name: unix, format: haproxy, syslog: 'unix://{}' }}
- {{ name: counted, format: haproxy, syslog: 'tcp://127.0.0.1:0' }}
- {{ name: ended, format: haproxy, syslog: 'tcp://127.0.0.1:0' }}
",
        socket.display()
    ));
    let at = |source: &str| {
        let address = holter.receives_at(source, "syslog");
        let (_, at) = address.split_once("://").unwrap();
        at.to_owned()
    };
    let ring = |name: &str, format: &str, protocol: &str| {
        let at = at(name);
        format!(
            "ring {name}\n  format {format}\n  maxlen 4096\n  size 65536\n  timeout connect 5s\n  timeout server 10s\n  \
             server s {at} log-proto {protocol}\n"
        )
    };
    let logs = format!(
        "  log {} local0\n  log {} format rfc5424 local0\n  log {} local0\n  log ring@counted local0\n  log ring@ended local0\n",
        at("old"),
        at("new"),
        socket.display(),
    );
    let rings = ring("counted", "rfc5424", "octet-count") + &ring("ended", "rfc3164", "legacy");
    let haproxy = HaProxy::start(&logs, &rings);
    haproxy.get("/mcp");
    haproxy.get("/other");
    for source in ["old", "new", "unix", "counted", "ended"] {
        let of = |metric: &str| format!(r#"{metric}{{source="{source}"}}"#);
        holter.wait_for(&of(STREAMS), |value| value == 1.0);
        holter.wait_for(&of("holter_log_lines_total"), |value| value >= 2.0);
        let unparsed = holter.scrape().sum(&of("holter_log_lines_unparsed_total"));
        assert_eq!(unparsed, Ok(0.0), "{source}");
    }
}

/// A server that begins a stream and then says nothing, to everybody, until the test's end.
fn silent_server() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let mut held = Vec::new();
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = [0; 4096];
            if stream.read(&mut request).unwrap_or(0) > 0 {
                let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n: hello\n\n";
                drop(stream.write_all(head.as_bytes()));
            }
            held.push(stream);
        }
    });
    address
}

/// nginx's two logs by syslog, joined as its two files are.
#[test]
fn nginx_with_its_error_log() {
    const FORMAT: &str = r#"$remote_addr [$time_local] "$request" $status conn=$connection completion="$request_completion" rt=$request_time upstream="$upstream_addr""#;
    let holter = Holter::start(&format!(
        "logs:\n- {{ name: edge, format: nginx, log_format: '{FORMAT}', syslog: 'udp://127.0.0.1:0', \
         error_syslog: 'udp://127.0.0.1:0' }}\n"
    ));
    let at = |key: &str| holter.receives_at("edge", key).replace("udp://", "");
    let (access, error) = (at("syslog"), at("error_syslog"));
    let (address, upstream) = (free_address(), silent_server());
    let folder = tempfile::tempdir().unwrap();
    let config = format!(
        "daemon off; master_process off; pid nginx.pid;
error_log syslog:server={error},nohostname info;
events {{}}
http {{
  log_format holter '{FORMAT}';
  access_log syslog:server={access} holter;
  client_body_temp_path a; proxy_temp_path b; fastcgi_temp_path c; uwsgi_temp_path d; scgi_temp_path e;
  server {{
    listen {address};
    location / {{ return 204; }}
    location /mcp {{ proxy_pass http://{upstream}; proxy_buffering off; proxy_read_timeout 1s; }}
  }}
}}
"
    );
    fs::write(folder.path().join("nginx.conf"), config).unwrap();
    let mut command = Command::new(tool("nginx"));
    command
        .arg("-p")
        .arg(folder.path())
        .args(["-c", "nginx.conf", "-e", "error.log"]);
    let mut nginx = Process::start("nginx", folder.path(), &mut command);
    nginx.wait_until("an answer", |_| {
        http::get(address, "/ready").map_err(|error| error.to_string())
    });
    eventually("a stream", || {
        http::get(address, "/mcp")
            .map(drop)
            .or_else(|error| match error.kind() {
                std::io::ErrorKind::UnexpectedEof => Ok(()),
                _ => Err(error.to_string()),
            })
    });
    holter.wait_for(
        r#"holter_log_streams_closed_total{source="edge",reason="idle_timeout"}"#,
        |value| value == 1.0,
    );
    let scrape = holter.scrape();
    assert_eq!(scrape.sum(STREAMS), Ok(1.0));
    assert_eq!(scrape.sum("holter_log_lines_unparsed_total"), Ok(0.0));
}
