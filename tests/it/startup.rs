//! What keeps Holter from starting: one line on stderr that names the place and what was expected, and
//! exit code 2. The texts are a contract: people search for them.

use crate::support::holter::refusal;

const FLAGS: [&str; 4] = [
    "--config.file",
    "holter.yaml",
    "--web.listen-address",
    "127.0.0.1:0",
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
        &[],
        "holter: cannot read configuration holter.yaml: No such file or directory (os error 2)",
    );
}
