//! The answer of a program to `--help`.

use std::fmt::Write;

use crate::table::Table;

/// Returns the help when this process was started with `--help`: its purpose, and every setting.
/// Lambda starts functions without arguments.
pub fn help_if_asked(about: &str, tables: &[&Table]) -> Option<String> {
    let asked = |argument: &str| ["--help", "-h", "help"].contains(&argument);
    std::env::args_os()
        .nth(1)
        .is_some_and(|argument| argument.to_str().is_some_and(asked))
        .then(|| help(about, tables))
}

fn help(about: &str, tables: &[&Table]) -> String {
    let mut text = format!("{about}\n");
    for table in tables {
        let _ = write!(
            text,
            "\nEnvironment variables that begin with {}:\n",
            table.prefix
        );
        for variable in table.variables {
            let _ = writeln!(
                text,
                "\n  {} ({})\n      {}",
                variable.name, variable.default, variable.meaning
            );
        }
    }
    text
}
