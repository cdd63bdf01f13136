//! The command line: arguments to commands, commands to exit codes. The only place that prints.
//! Knows nothing of how a command does its work.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "this is where printing belongs")]

mod around;
mod ask;
mod audit;
mod check;
mod compat;
mod demo;
mod diff;
pub mod docs;
mod doctor;
mod engine;
pub mod explain;
mod find;
mod healthcheck;
mod ids;
mod import;
mod init;
mod learn;
mod load;
mod log;
mod preset;
pub mod presets_page;
mod reload;
mod rewrite;
mod say;
mod scan;
mod schema;
mod serve;
pub mod sinks;
mod stop;
mod test;
mod tour;
mod trouble;
mod unbound;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// What every command comes to.
type Outcome = Result<u8, say::Failure>;

/// A gate in front of the Docker socket.
///
/// Every Engine API request is parsed, judged against an allowlist, recorded, and only then written anew for the engine.
#[derive(Debug, Parser)]
#[command(name = "dockgate", version, args_conflicts_with_subcommands = true, max_term_width = 100, after_help = EXAMPLES)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: serve::Args,
}

const EXAMPLES: &str = "\
Examples:
  dockgate init                              a configuration and a compose file for the clients that are there
  dockgate doctor                            what is wrong here, on one screen
  dockgate                                   a read-only door in front of the engine that is found
  dockgate --config dockgate.toml            doors and policies of a file
  dockgate check dockgate.toml               every problem of a file, with line and column
  dockgate explain GET /containers/json      what would happen to a request, and why
  dockgate test policy.test.toml             policy tests
  dockgate learn audit.jsonl                 the least policy for what was seen
  dockgate audit show audit.jsonl            who did what, when, and what came of it
  dockgate scan --level restricted           what already runs, held against a level
  dockgate audit verify audit.jsonl          whether a trail was changed
  dockgate import tecnativa CONTAINERS=1     another proxy's settings as a configuration file
  dockgate rewrite compose.yml               raw mounts of the socket replaced by doors, as a diff
  dockgate demo                              a tour with an engine in memory

Without a command, `dockgate` serves. Exit codes: 0 fine, 1 refused or errors found,
2 wrong usage or unreadable files, 3 a trail in which something is not finished (`audit verify`).
DOCKGATE_LOG sets the operator's log (error, warn, info, debug); NO_COLOR turns colours off.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Open the doors and serve (the default)
    Serve(serve::Args),
    /// Report every problem of a configuration file
    Check(check::Args),
    /// Show what would happen to a request, and why
    Explain(explain::Args),
    /// Run policy tests
    Test(test::Args),
    /// Write the least policy that allows what a trail shows
    Learn(learn::Args),
    /// Judge what already runs on an engine
    Scan(scan::Args),
    /// Verify, read, convert and report the trail
    Audit(audit::Args),
    /// List the built-in policies, or show one
    Preset(preset::Args),
    /// Write a configuration from another proxy's settings
    Import(import::Args),
    /// Put dockgate between a compose file's services and the docker socket that they mount
    Rewrite(rewrite::Args),
    /// Write a configuration and a compose file for the clients that are there
    Init(init::Args),
    /// Look at the engine, who has its socket, and whether dockgate can do its work
    Doctor(doctor::Args),
    /// Ask a running dockgate whether it answers
    Healthcheck(healthcheck::Args),
    /// Show the gate at work in front of a small engine in memory
    Demo(demo::Args),
    /// Print the JSON Schema of the audit trail or of the configuration
    Schema(schema::Args),
    /// Print reference pages
    #[command(hide = true)]
    Docs(docs::Args),
}

/// Runs the command that the arguments name.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(said) => {
            // help and version are no errors, and clap knows which stream and code is theirs
            let _reader_gone = said.print();
            return ExitCode::from(u8::try_from(said.exit_code()).unwrap_or(say::USAGE));
        }
    };
    let outcome = match cli.command.unwrap_or(Command::Serve(cli.serve)) {
        Command::Serve(args) => serve::run(&args),
        Command::Check(args) => check::run(&args),
        Command::Explain(args) => explain::run(&args),
        Command::Test(args) => test::run(&args),
        Command::Learn(args) => learn::run(&args),
        Command::Scan(args) => scan::run(&args),
        Command::Audit(args) => audit::run(&args),
        Command::Preset(args) => preset::run(&args),
        Command::Import(args) => import::run(&args),
        Command::Rewrite(args) => rewrite::run(&args),
        Command::Init(args) => init::run(&args),
        Command::Doctor(args) => doctor::run(&args),
        Command::Healthcheck(args) => healthcheck::run(&args),
        Command::Demo(args) => demo::run(&args),
        Command::Schema(args) => schema::run(&args),
        Command::Docs(args) => docs::run(&args),
    };
    ExitCode::from(outcome.unwrap_or_else(|failure| failure.print()))
}

/// The one runtime: a single thread, as idle memory and order matter more than cores here.
fn runtime() -> Result<tokio::runtime::Runtime, say::Failure> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| say::Failure::usage(format!("cannot start the async runtime: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_arguments_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn flags_without_a_command_are_those_of_serve() {
        let cli = Cli::try_parse_from(["dockgate", "--policy", "traefik", "--listen", "tcp://127.0.0.1:0"]).unwrap();
        assert!(cli.command.is_none());
        assert_eq!(cli.serve.policy.as_deref(), Some("traefik"));
        assert!(Cli::try_parse_from(["dockgate", "--policy", "traefik", "check"]).is_err());
    }
}
