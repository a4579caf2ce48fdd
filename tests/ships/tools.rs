//! Runs the checkers. Looks where `scripts/setup` installs them, then where Debian has them.

use std::path::PathBuf;
use std::process::Command;

use crate::files::root;

/// The command, or a failure that says how to get it.
pub(crate) fn tool(name: &str) -> Command {
    let installed = [root("tests/.tools/venv/bin"), root("tests/.tools/bin")];
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = installed
        .into_iter()
        .chain(std::env::split_paths(&path))
        .chain([PathBuf::from("/usr/sbin")])
        .map(|folder| folder.join(name))
        .find(|candidate| candidate.is_file());
    let mut command =
        Command::new(found.unwrap_or_else(|| panic!("missing {name}: run make setup")));
    command.current_dir(root("."));
    command
}

/// What the command wrote to stdout; a failure shows everything it said.
pub(crate) fn run(command: &mut Command) -> String {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{command:?}: {}\n{stdout}{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    stdout
}
