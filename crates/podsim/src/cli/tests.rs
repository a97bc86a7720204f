//! The command line holds together, and says clearly what is wrong.

use super::*;
use clap::CommandFactory;

#[test]
fn the_command_line_is_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn every_command_has_a_help_text() {
    for command in Cli::command().get_subcommands() {
        let about = command.get_about().map(ToString::to_string).unwrap_or_default();
        assert!(about.len() > 15, "{}: {about:?}", command.get_name());
        for argument in command.get_arguments().filter(|argument| !argument.is_hide_set()) {
            assert!(
                argument.get_help().is_some(),
                "{} {}",
                command.get_name(),
                argument.get_id()
            );
        }
    }
}

#[test]
fn wrong_lines_are_refused_with_a_hint() {
    let refuse = |line: &str| Cli::try_parse_from(line.split(' ')).unwrap_err().to_string();
    assert!(refuse("podsim gett pods").contains("a similar subcommand exists: 'get'"));
    assert!(refuse("podsim run").contains("<FILE>..."));
    assert!(refuse("podsim logs --foo p").contains("unexpected argument '--foo'"));
}
