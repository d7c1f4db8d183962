//! `alb-mtls generate`: files that are made from the definition of the command line.

use std::fmt::Write;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Command, Subcommand};
use clap_complete::Shell;

use crate::console::finish;

/// Name of the built program.
const PROGRAM: &str = "alb-mtls";

#[derive(Args, Debug)]
pub(crate) struct GenerateArguments {
    #[command(subcommand)]
    output: Output,
}

#[derive(Debug, Subcommand)]
enum Output {
    /// Print the completions of a shell
    Completions {
        #[arg(value_name = "SHELL")]
        shell: Shell,
    },
    /// Write one man page for each sub-command
    Man {
        #[arg(value_name = "FOLDER")]
        folder: PathBuf,
    },
    /// Print docs/reference/cli.md
    Page,
}

#[derive(Debug, thiserror::Error)]
#[error("cannot write man pages to `{}`: {source}", folder.display())]
struct ManPageError {
    folder: PathBuf,
    source: io::Error,
}

pub(crate) fn run(arguments: &GenerateArguments, mut command: Command) -> ExitCode {
    finish(match &arguments.output {
        Output::Completions { shell } => Ok(completions(*shell, &mut command)),
        Output::Man { folder } => write_man_pages(command, folder),
        Output::Page => Ok(page(command)),
    })
}

fn completions(shell: Shell, command: &mut Command) -> String {
    let mut script = Vec::new();
    clap_complete::generate(shell, command, PROGRAM, &mut script);
    // clap-rs/clap issue 6421: clap_complete 4.6.11 writes the `-` of a program's name as `__`
    // where it sets a function's name, and as `__subcmd__` where it looks for the name: bash would
    // complete no option.
    String::from_utf8_lossy(&script).replace("alb__subcmd__mtls", "alb__mtls")
}

fn write_man_pages(command: Command, folder: &PathBuf) -> Result<String, ManPageError> {
    fs::create_dir_all(folder)
        .and_then(|()| clap_mangen::generate_to(command, folder))
        .map_err(|source| ManPageError {
            folder: folder.clone(),
            source,
        })?;
    Ok(String::new())
}

/// Returns the page of the documentation: the help of each sub-command.
fn page(mut command: Command) -> String {
    command.build();
    let mut text = "# Command line\n\n\
        `alb-mtls` is the operator's command line. `make readme` makes this page from the help of the program.\n\n\
        `make install` installs it into `~/.cargo/bin`. `alb-mtls --version` names the commit that it was built from.\n\n\
        Shell completions: `alb-mtls generate completions bash`, or `zsh`, `fish`, `elvish`, `powershell`. Man pages: \
        `alb-mtls generate man FOLDER`. `make completions` writes all of them to `target/completions` and `target/man`.\n"
        .to_owned();
    add(&mut text, &mut command, PROGRAM);
    text
}

fn add(text: &mut String, command: &mut Command, name: &str) {
    let help = command.render_long_help().to_string();
    let lines: Vec<&str> = help.trim_end().lines().map(str::trim_end).collect();
    // Writing to a String does not fail.
    let _ = write!(text, "\n## {name}\n\n```text\n{}\n```\n", lines.join("\n"));
    for inner in command.get_subcommands_mut().filter(|inner| !inner.is_hide_set()) {
        let inner_name = inner.get_name().to_owned();
        if inner_name != "help" {
            add(text, inner, &format!("{name} {inner_name}"));
        }
    }
}
