//! Starts the command line and returns its exit code.
//! Knows nothing else.

fn main() -> std::process::ExitCode {
    dockgate::cli::main()
}
