//! Arguments in, exit code out.

fn main() -> std::process::ExitCode {
    ioc_gateway::cli::run()
}
