//! `dockgate test`: policy tests.
//! Knows nothing of the engine: requests are judged as `explain` judges them.

mod coverage;
mod file;
mod judge;
mod report;
mod run;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use crate::config::{self, Config, Diagnostic};

use super::load;
use super::say::{self, Failure, Paint};
use coverage::Coverage;
use file::{File, Source};
use report::Outcome;

/// How deep folders are searched.
const MAX_DEPTH: usize = 16;

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Test files; of folders, all `*.test.toml` in them
    #[arg(value_name = "FILE", required = true)]
    files: Vec<String>,
    /// Take the policies from this file, whatever the tests name
    #[arg(long, short, value_name = "FILE")]
    config: Option<String>,
    /// The policy of tests that name none [default: the file's only one, else read-only]
    #[arg(long, short, value_name = "NAME")]
    policy: Option<String>,
    /// Fail where no tests are found
    #[arg(long)]
    require_tests: bool,
    /// How results are printed
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Text,
    Junit,
    Json,
}

const EXAMPLES: &str = r#"A test file:
  version = 1
  config = "dockgate.toml"            # beside the test file, or the policies themselves in ''' '''
  [[test]]
  name = "a build mounts its folder only"
  policy = "ci"
  run = "docker run -v /:/host alpine"   # or request = { method = "POST", path = "/containers/create", body = '''{…}''' }
  expect = "deny"                     # allow, deny, would-deny or refuse
  reason = "socket-mount"             # what decides, and where
  at = "HostConfig.Binds[0]"
  warnings = ["latest-tag"]           # each of these warns; [] for no warnings at all
  forwards = '''{…}'''                # the whole forwarded body; of `run`, without what is empty

Exit codes: 0 all passed, 1 a test failed, or none was found and --require-tests is given, 2 a file cannot be used."#;

/// Runs the tests of all files.
pub fn run(args: &Args) -> super::Outcome {
    let mut files = Vec::new();
    for name in &args.files {
        find(Path::new(name), true, MAX_DEPTH, &mut files)?;
    }
    let mut outcomes = Vec::new();
    let mut coverage = Coverage::default();
    for file in files {
        one(&file, args, &mut outcomes, &mut coverage)?;
    }
    match args.format {
        Format::Text => say::out(report::text(&outcomes, &coverage, Paint::stdout()).trim_end()),
        Format::Junit => say::out(report::junit(&outcomes)),
        Format::Json => say::out(report::json(&outcomes, &coverage)),
    }
    if outcomes.is_empty() && args.require_tests {
        return Err(Failure::refused("no tests were found").hint("tests are `[[test]]` tables; in folders, of files named `*.test.toml`"));
    }
    let (_, failed) = report::counts(&outcomes);
    Ok(if failed == 0 { 0 } else { say::REFUSED })
}

/// Named files as they are, of folders what is called a test.
fn find(path: &Path, named: bool, depth: usize, files: &mut Vec<PathBuf>) -> Result<(), Failure> {
    if !path.is_dir() {
        if named || path.to_string_lossy().ends_with(".test.toml") {
            files.push(path.to_path_buf());
        }
        return Ok(());
    }
    let cannot = |error: std::io::Error| Failure::usage(format!("cannot read `{}`: {error}", path.display()));
    let entries = std::fs::read_dir(path).map_err(cannot)?.collect::<Result<Vec<_>, _>>().map_err(cannot)?;
    let mut inside: Vec<PathBuf> = entries.iter().map(std::fs::DirEntry::path).collect();
    inside.sort();
    // a link to a folder above would lead round and round
    inside.retain(|path| !path.is_symlink() || path.is_file());
    inside.iter().filter(|_| depth > 0).try_for_each(|path| find(path, false, depth - 1, files))
}

fn one(path: &Path, args: &Args, outcomes: &mut Vec<Outcome>, coverage: &mut Coverage) -> Result<(), Failure> {
    let name = path.display().to_string();
    let text = load::text(&name)?;
    let folder = path.parent().unwrap_or(Path::new(""));
    let File { config, cases } = file::read(&name, &text, folder).map_err(|found| unusable(&name, &text, &found))?;
    let (source, written, config) = match (&args.config, config) {
        (Some(file), _) => configuration(file.clone(), load::text(file)?)?,
        (None, Some(Source::File(file))) => {
            let file = folder.join(file).display().to_string();
            let written = load::text(&file)?;
            configuration(file, written)?
        }
        (None, Some(Source::Inline(written))) => configuration(format!("{name} `config`"), written)?,
        (None, None) => (String::new(), String::new(), config::defaults()),
    };
    for case in cases {
        let policy = super::explain::policy(case.policy.as_deref().or(args.policy.as_deref()), &config)
            .map_err(|failure| failure.hint(format!("the test at {name}:{} names it, or needs one", case.line)))?;
        coverage.policy(&source, &written, &policy.name);
        let ended = judge::judge(&policy, &case, config.limits.max_json_body);
        ended.rule.into_iter().for_each(|rule| coverage.reach(rule));
        outcomes.push(Outcome { file: name.clone(), line: case.line, name: case.name, policy: policy.name.clone(), wrong: ended.wrong });
    }
    Ok(())
}

fn configuration(source: String, text: String) -> Result<(String, String, Config), Failure> {
    let loaded = config::load_to_judge(&source, &text);
    let errors: Vec<Diagnostic> = loaded.diagnostics.into_iter().filter(Diagnostic::is_error).collect();
    match loaded.config {
        Some(config) => Ok((source, text, config)),
        None => Err(unusable(&source, &text, &errors)),
    }
}

fn unusable(name: &str, text: &str, found: &[Diagnostic]) -> Failure {
    for diagnostic in found {
        say::err(diagnostic.render(text, Paint::stderr().is_on()));
    }
    Failure::usage(format!("`{name}` has {}", load::count(found.len(), "error")))
}
