//! The `holter` binary: arguments to a command, a command's outcome to an exit code.

use std::process::ExitCode;
use std::time::Duration;

use holter::cli::{self, Command, LogLevel, LogShape};
use holter::commands::{check, demo, healthcheck, replay, run};

fn main() -> ExitCode {
    let cli = match cli::parse(std::env::args_os()) {
        Ok(cli) => cli,
        Err(refusal) if refusal.code == 0 => {
            print!("{}", refusal.text);
            return ExitCode::SUCCESS;
        }
        Err(refusal) => return fail(&refusal.text, refusal.code),
    };
    match &cli.command {
        Some(Command::Check(args)) => match check::check(args) {
            Ok(summary) => {
                println!("{summary}");
                ExitCode::SUCCESS
            }
            Err(error) => fail(&error, 2),
        },
        Some(Command::Replay(args)) => {
            replay::run(args).map_or_else(|error| fail(&error, 2), |()| ExitCode::SUCCESS)
        }
        None => in_runtime(async {
            log(cli.run.log_level, cli.run.log_format);
            let ran = run::run(&cli.run).await;
            ran.map_or_else(|error| fail(&error, error.code()), |()| ExitCode::SUCCESS)
        }),
        Some(Command::Demo(args)) => in_runtime(async {
            log(LogLevel::Error, LogShape::Text);
            let ran = demo::run(args).await;
            ran.map_or_else(|error| fail(&error, error.code()), |()| ExitCode::SUCCESS)
        }),
        Some(Command::Healthcheck(args)) => in_runtime(async {
            let checked = healthcheck::check(&args.web_listen_address.to_string()).await;
            checked.map_or_else(|error| fail(&error, 1), |()| ExitCode::SUCCESS)
        }),
    }
}

/// Runs what waits for the network. What reads files only needs no threads beside its own.
fn in_runtime(command: impl Future<Output = ExitCode>) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return fail(&format!("holter: cannot start: {error}"), 1),
    };
    let code = runtime.block_on(command);
    // A task that blocks its thread was named as stuck already; it is not waited for.
    runtime.shutdown_timeout(Duration::from_secs(1));
    code
}

fn fail(message: &impl ToString, code: u8) -> ExitCode {
    eprintln!("{}", message.to_string().trim_end());
    ExitCode::from(code)
}

fn log(level: LogLevel, shape: LogShape) {
    let level = match level {
        LogLevel::Error => tracing::Level::ERROR,
        LogLevel::Warn => tracing::Level::WARN,
        LogLevel::Info => tracing::Level::INFO,
        LogLevel::Debug => tracing::Level::DEBUG,
        LogLevel::Trace => tracing::Level::TRACE,
    };
    // Other crates speak at warn and above only: at debug, HTTP libraries print header values.
    let filter = tracing_subscriber::EnvFilter::new(format!("warn,holter={level}"));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_target(false);
    match shape {
        LogShape::Text => builder.with_ansi(false).init(),
        LogShape::Json => builder.json().init(),
    }
}
