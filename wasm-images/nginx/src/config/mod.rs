//! The configuration: what `nginx.conf` says, checked.
//!
//! * [`tree`] reads the file, [`build`] makes the types below of it. What a directive does not say is inherited from the block
//!   around it, as `Settings` shows.

mod build;
mod directives;
mod lexer;
mod tree;

use regex::bytes::Regex;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

/// All of it.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    /// Whose rights the workers have; `None`: those of the master.
    pub(crate) user: Option<(u32, u32)>,
    pub(crate) workers: u32,
    pub(crate) daemon: bool,
    pub(crate) pid_file: String,
    /// Where errors go, and from which level on.
    pub(crate) error_log: String,
    pub(crate) error_level: Level,
    /// Open connections that a worker may have.
    pub(crate) connections: usize,
    pub(crate) servers: Vec<Rc<Server>>,
    /// Warnings that were met on the way.
    pub(crate) warnings: Vec<String>,
}

/// How serious a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    Emerg,
    Alert,
    Crit,
    Error,
    Warn,
    Notice,
    Info,
    Debug,
}

impl Level {
    const NAMES: [(&'static str, Level); 8] = [
        ("emerg", Level::Emerg),
        ("alert", Level::Alert),
        ("crit", Level::Crit),
        ("error", Level::Error),
        ("warn", Level::Warn),
        ("notice", Level::Notice),
        ("info", Level::Info),
        ("debug", Level::Debug),
    ];

    /// The word in a log line.
    pub(crate) fn name(self) -> &'static str {
        Self::NAMES
            .iter()
            .find(|(_, level)| *level == self)
            .map_or("", |(name, _)| name)
    }

    fn parse(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(n, _)| *n == name).map(|(_, level)| *level)
    }
}

/// A `server` block.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    pub(crate) listen: Vec<Listen>,
    pub(crate) names: Vec<String>,
    pub(crate) settings: Settings,
    pub(crate) returns: Option<Return>,
    pub(crate) locations: Vec<Location>,
}

/// A `listen` directive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Listen {
    pub(crate) address: SocketAddr,
    pub(crate) default: bool,
}

/// A `location` block.
#[derive(Clone, Debug)]
pub(crate) struct Location {
    pub(crate) matching: Matching,
    pub(crate) settings: Settings,
    pub(crate) alias: Option<String>,
    pub(crate) try_files: Vec<String>,
    pub(crate) returns: Option<Return>,
    /// Only for redirects from inside.
    pub(crate) internal: bool,
}

/// What a location is for.
#[derive(Clone, Debug)]
pub(crate) enum Matching {
    Exact(String),
    /// `true`: regular expressions are not tried after this one (`^~`).
    Prefix(String, bool),
    Regex(Regex),
    Named(String),
}

/// What `return` answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Return {
    pub(crate) status: u16,
    /// A text with variables: the body, or the address of a redirection.
    pub(crate) text: Option<String>,
}

/// What blocks inherit.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) root: String,
    pub(crate) index: Vec<String>,
    pub(crate) autoindex: bool,
    pub(crate) default_type: String,
    pub(crate) types: Rc<BTreeMap<String, String>>,
    pub(crate) charset: Option<String>,
    /// Path and format; `None` is off.
    pub(crate) access_log: Option<(String, Rc<str>)>,
    pub(crate) error_pages: Rc<Vec<ErrorPage>>,
    pub(crate) headers: Rc<Vec<(String, String, bool)>>,
    pub(crate) server_tokens: bool,
    pub(crate) etag: bool,
    pub(crate) keepalive: Duration,
    pub(crate) header_timeout: Duration,
    pub(crate) send_timeout: Duration,
    /// In bytes; 0 is no limit.
    pub(crate) max_body: u64,
    /// `false` after `deny all`.
    pub(crate) allowed: bool,
}

/// An `error_page`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ErrorPage {
    pub(crate) statuses: Vec<u16>,
    /// The status of the answer instead; `None` leaves it.
    pub(crate) answer: Option<u16>,
    pub(crate) uri: String,
}

/// The default of `log_format`.
pub(crate) const COMBINED: &str = "$remote_addr - $remote_user [$time_local] \"$request\" $status $body_bytes_sent \
                                   \"$http_referer\" \"$http_user_agent\"";

/// What the command line says.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) file: String,
    /// `-p`, with a slash at its end.
    pub(crate) prefix: String,
    /// `-g`
    pub(crate) directives: String,
    /// `-e`
    pub(crate) error_log: String,
}

/// Reads and checks the configuration. An error is a message for `[emerg]`.
pub(crate) fn load(place: &Place) -> Result<Config, String> {
    let mut directives = tree::read_command_line(&place.directives, &place.prefix)?;
    directives.extend(tree::read(&place.file, &place.prefix)?);
    build::build(&directives, place, podsim_guest::credentials().euid == 0)
}

/// A path as it is, or below the folder of the configuration.
fn absolute(path: &str, prefix: &str) -> String {
    if path.starts_with('/') {
        path.to_owned()
    } else {
        format!("{prefix}{path}")
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A configuration from text; with the events block that each must have.
    pub(crate) fn from_text(text: &str) -> Result<Config, String> {
        let place = Place {
            file: "f".to_owned(),
            prefix: "/etc/nginx/".to_owned(),
            directives: String::new(),
            error_log: "stderr".to_owned(),
        };
        let directives = tree::read_command_line(&format!("events {{}} {text}"), &place.prefix)?;
        build::build(&directives, &place, false)
    }

    #[test]
    fn settings_are_inherited_by_the_blocks_inside() {
        let text = "http { root /a; error_page 404 /x; server { listen 8080 default_server; server_name A.b;
                    location / { index i.html; } location /c { root rel; autoindex on; error_page 500 =200 /y; } } }";
        let config = from_text(text).expect("a right configuration");
        let server = &config.servers[0];
        assert_eq!(
            server.listen,
            [Listen {
                address: SocketAddr::from(([0, 0, 0, 0], 8080)),
                default: true
            }]
        );
        assert_eq!(server.names, ["a.b"]);
        let (first, second) = (&server.locations[0].settings, &server.locations[1].settings);
        assert_eq!(
            (first.root.as_str(), first.index.as_slice(), first.autoindex),
            ("/a", &["i.html".to_owned()][..], false)
        );
        assert_eq!((second.root.as_str(), second.autoindex), ("/etc/nginx/rel", true));
        assert_eq!(first.error_pages[0].statuses, [404]);
        assert_eq!(
            (second.error_pages[0].answer, second.error_pages[0].uri.as_str()),
            (Some(200), "/y")
        );
    }

    #[test]
    fn wrong_directives_are_refused_in_nginxs_words() {
        for (text, want) in [
            ("nonsense on;", "unknown directive \"nonsense\" in command line:1"),
            (
                "listen 80;",
                "\"listen\" directive is not allowed here in command line:1",
            ),
            (
                "http { server { listen x:y; } }",
                "invalid port in \"x:y\" of the \"listen\" directive in command line:1",
            ),
            (
                "http { server { listen 80 foo; } }",
                "the invalid \"foo\" parameter in command line:1",
            ),
            (
                "http { root; }",
                "invalid number of arguments in \"root\" directive in command line:1",
            ),
            (
                "http { server; }",
                "directive \"server\" has no opening \"{\" in command line:1",
            ),
            (
                "http { root /a {} }",
                "directive \"root\" is not terminated by \";\" in command line:1",
            ),
            (
                "daemon on; daemon off;",
                "\"daemon\" directive is duplicate in command line:1",
            ),
            (
                "http { access_log /x nope; }",
                "unknown log format \"nope\" in command line:1",
            ),
        ] {
            assert_eq!(from_text(text).err().as_deref(), Some(want), "{text}");
        }
    }
}
