//! From directives to the configuration.

use super::directives::Context::{Events, Http, Location as Loc, Main, Server as Srv};
use super::directives::check;
use super::tree::Directive;
use super::{
    COMBINED, Config, ErrorPage, Level, Listen, Location, Matching, Place, Return, Server, Settings, absolute,
};
use busybox::util::users::Users;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

struct Builder<'a> {
    place: &'a Place,
    formats: BTreeMap<String, Rc<str>>,
    config: Config,
}

/// `root`: whether this process may take another user's rights.
pub(super) fn build(directives: &[Directive], place: &Place, root: bool) -> Result<Config, String> {
    let mut builder = Builder {
        place,
        formats: BTreeMap::from([("combined".to_owned(), COMBINED.into())]),
        config: Config {
            user: None,
            workers: 1,
            daemon: true,
            pid_file: "/run/nginx.pid".to_owned(),
            error_log: place.error_log.clone(),
            error_level: Level::Error,
            connections: 512,
            servers: Vec::new(),
            warnings: Vec::new(),
        },
    };
    check(directives, Main)?;
    let mut user = None;
    for directive in directives {
        match directive.name.as_str() {
            "user" => user = Some(directive),
            "http" => builder.http(directive.block.as_deref().unwrap_or_default())?,
            name => builder.main(name, directive)?,
        }
    }
    if !directives.iter().any(|directive| directive.name == "events") {
        return Err("no \"events\" section in configuration".to_owned());
    }
    builder.user(user, root)?;
    Ok(builder.config)
}

fn on_off(directive: &Directive) -> Result<bool, String> {
    match directive.args.first().map(String::as_str) {
        Some("on") => Ok(true),
        Some("off") => Ok(false),
        other => {
            let (value, name) = (other.unwrap_or(""), &directive.name);
            Err(directive.error(format!(
                "invalid value \"{value}\" in \"{name}\" directive, it must be \"on\" or \"off\""
            )))
        }
    }
}

fn first(directive: &Directive) -> &str {
    directive.args.first().map_or("", String::as_str)
}

/// `65`, `65s`, `1m`, `500ms`
fn time(directive: &Directive) -> Result<Duration, String> {
    let text = first(directive);
    let parsed = match text.strip_suffix("ms") {
        Some(number) => number.parse().ok().map(Duration::from_millis),
        None => busybox::util::human::parse_duration(text),
    };
    parsed.ok_or_else(|| directive.error(format!("\"{}\" directive invalid value", directive.name)))
}

impl Builder<'_> {
    fn main(&mut self, name: &str, directive: &Directive) -> Result<(), String> {
        match name {
            "worker_processes" => {
                self.config.workers = match first(directive) {
                    // There is one processor's worth of work here.
                    "auto" => 1,
                    number => number
                        .parse()
                        .ok()
                        .filter(|n| (1..=64).contains(n))
                        .ok_or_else(|| directive.error("invalid number"))?,
                }
            }
            // The command line comes first and wins, as an error does in nginx.
            "daemon" => self.config.daemon = on_off(directive)?,
            "pid" => self.config.pid_file = absolute(first(directive), &self.place.prefix),
            "error_log" => self.error_log(directive)?,
            "events" => {
                let block = directive.block.as_deref().unwrap_or_default();
                check(block, Events)?;
                for inner in block.iter().filter(|inner| inner.name == "worker_connections") {
                    let number = first(inner).parse().ok().filter(|n| *n > 0);
                    self.config.connections = number.ok_or_else(|| inner.error("invalid number"))?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn error_log(&mut self, directive: &Directive) -> Result<(), String> {
        let path = first(directive);
        self.config.error_log = if path == "stderr" {
            path.to_owned()
        } else {
            absolute(path, &self.place.prefix)
        };
        if let Some(name) = directive.args.get(1) {
            self.config.error_level =
                Level::parse(name).ok_or_else(|| directive.error(format!("invalid log level \"{name}\"")))?;
        } else {
            self.config.error_level = Level::Error;
        }
        Ok(())
    }

    fn user(&mut self, directive: Option<&Directive>, root: bool) -> Result<(), String> {
        if !root {
            if let Some(directive) = directive {
                self.config.warnings.push(directive.error(
                    "the \"user\" directive makes sense only if the master process runs with super-user privileges, ignored",
                ));
            }
            return Ok(());
        }
        let users = Users::load();
        let name = directive.map_or("nobody", first);
        let place = |message: String| directive.map_or(message.clone(), |d| d.error(message));
        let user = users
            .by_name(name)
            .ok_or_else(|| place(format!("getpwnam(\"{name}\") failed")))?;
        let gid = match directive.and_then(|d| d.args.get(1)) {
            None => user.gid,
            Some(group) => users
                .group_by_name(group)
                .ok_or_else(|| place(format!("getgrnam(\"{group}\") failed")))?,
        };
        self.config.user = Some((user.uid, gid));
        Ok(())
    }

    fn http(&mut self, block: &[Directive]) -> Result<(), String> {
        check(block, Http)?;
        for directive in block.iter().filter(|d| d.name == "log_format") {
            let format: String = directive
                .args
                .get(1..)
                .unwrap_or_default()
                .iter()
                .filter(|a| !a.starts_with("escape="))
                .cloned()
                .collect();
            self.formats.insert(first(directive).to_owned(), format.into());
        }
        let settings = self.settings(block, &self.defaults())?;
        for directive in block.iter().filter(|d| d.name == "server") {
            let server = self.server(directive, &settings)?;
            self.config.servers.push(Rc::new(server));
        }
        Ok(())
    }

    fn defaults(&self) -> Settings {
        let types = [("html", "text/html"), ("gif", "image/gif"), ("jpg", "image/jpeg")];
        let seconds = Duration::from_secs;
        Settings {
            root: absolute("html", &self.place.prefix),
            index: vec!["index.html".to_owned()],
            autoindex: false,
            default_type: "text/plain".to_owned(),
            types: Rc::new(types.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()),
            charset: None,
            access_log: Some(("/var/log/nginx/access.log".to_owned(), COMBINED.into())),
            error_pages: Rc::default(),
            headers: Rc::default(),
            server_tokens: true,
            etag: true,
            keepalive: seconds(75),
            header_timeout: seconds(60),
            send_timeout: seconds(60),
            max_body: 1 << 20,
            allowed: true,
        }
    }

    /// What a block says, over what the block around it said.
    fn settings(&self, block: &[Directive], outer: &Settings) -> Result<Settings, String> {
        let mut new = outer.clone();
        let (mut pages, mut headers) = (Vec::new(), Vec::new());
        let mut decided = false;
        for directive in block {
            let value = first(directive).to_owned();
            match directive.name.as_str() {
                "root" => new.root = absolute(&value, &self.place.prefix).trim_end_matches('/').to_owned(),
                "index" => new.index.clone_from(&directive.args),
                "autoindex" => new.autoindex = on_off(directive)?,
                "default_type" => new.default_type = value,
                "charset" => new.charset = (value != "off").then_some(value),
                "types" => new.types = Rc::new(types(directive)?),
                "server_tokens" => new.server_tokens = on_off(directive)?,
                "etag" => new.etag = on_off(directive)?,
                "keepalive_timeout" => new.keepalive = time(directive)?,
                "client_header_timeout" => new.header_timeout = time(directive)?,
                "send_timeout" => new.send_timeout = time(directive)?,
                "client_max_body_size" => {
                    new.max_body = busybox::util::human::parse_size(&value)
                        .ok_or_else(|| directive.error("\"client_max_body_size\" directive invalid value"))?;
                }
                "access_log" => new.access_log = self.access_log(directive)?,
                "error_page" => pages.push(error_page(directive)?),
                "add_header" => {
                    let text = directive.args.get(1).cloned().unwrap_or_default();
                    let always = directive.args.get(2).is_some_and(|word| word == "always");
                    headers.push((value, text, always));
                }
                // The first rule that matches decides.
                "allow" | "deny" if !decided => {
                    if value != "all" {
                        return Err(directive.error(format!("\"{}\" knows only \"all\" here", directive.name)));
                    }
                    new.allowed = directive.name == "allow";
                    decided = true;
                }
                _ => {}
            }
        }
        if !pages.is_empty() {
            new.error_pages = Rc::new(pages);
        }
        if !headers.is_empty() {
            new.headers = Rc::new(headers);
        }
        Ok(new)
    }

    fn access_log(&self, directive: &Directive) -> Result<Option<(String, Rc<str>)>, String> {
        let path = first(directive);
        if path == "off" {
            return Ok(None);
        }
        let name = directive.args.get(1).map_or("combined", String::as_str);
        let format = self
            .formats
            .get(name)
            .ok_or_else(|| directive.error(format!("unknown log format \"{name}\"")))?;
        Ok(Some((absolute(path, &self.place.prefix), format.clone())))
    }

    fn server(&self, directive: &Directive, outer: &Settings) -> Result<Server, String> {
        let block = directive.block.as_deref().unwrap_or_default();
        check(block, Srv)?;
        let settings = self.settings(block, outer)?;
        let mut server = Server {
            listen: Vec::new(),
            names: Vec::new(),
            settings,
            returns: None,
            locations: Vec::new(),
        };
        let mut try_files = Vec::new();
        for inner in block {
            match inner.name.as_str() {
                "listen" => server.listen.push(listen(inner)?),
                "server_name" => server
                    .names
                    .extend(inner.args.iter().map(|name| name.to_ascii_lowercase())),
                "return" => server.returns = Some(returns(inner)?),
                "try_files" => try_files.clone_from(&inner.args),
                "location" => server.locations.push(self.location(inner, &server.settings)?),
                _ => {}
            }
        }
        if server.listen.is_empty() {
            let address = SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), 80);
            server.listen.push(Listen {
                address,
                default: false,
            });
        }
        // What no location matches.
        server.locations.push(Location {
            matching: Matching::Prefix(String::new(), false),
            settings: server.settings.clone(),
            alias: None,
            try_files,
            returns: None,
            internal: false,
        });
        Ok(server)
    }

    fn location(&self, directive: &Directive, outer: &Settings) -> Result<Location, String> {
        let block = directive.block.as_deref().unwrap_or_default();
        check(block, Loc)?;
        let regex = |pattern: &str, ignore_case: bool| {
            regex::bytes::RegexBuilder::new(pattern)
                .unicode(false)
                .case_insensitive(ignore_case)
                .size_limit(1 << 20)
                .build()
                .map(Matching::Regex)
                .map_err(|_| directive.error(format!("invalid regular expression \"{pattern}\"")))
        };
        let matching = match directive.args.as_slice() {
            [uri] => match uri.strip_prefix('@') {
                Some(name) => Matching::Named(name.to_owned()),
                None => Matching::Prefix(uri.clone(), false),
            },
            [kind, uri] => match kind.as_str() {
                "=" => Matching::Exact(uri.clone()),
                "^~" => Matching::Prefix(uri.clone(), true),
                "~" => regex(uri, false)?,
                "~*" => regex(uri, true)?,
                other => return Err(directive.error(format!("invalid location modifier \"{other}\""))),
            },
            _ => return Err(directive.error("invalid number of arguments in \"location\" directive")),
        };
        let settings = self.settings(block, outer)?;
        let mut location = Location {
            matching,
            settings,
            alias: None,
            try_files: Vec::new(),
            returns: None,
            internal: false,
        };
        for inner in block {
            match inner.name.as_str() {
                "alias" => location.alias = Some(absolute(first(inner), &self.place.prefix)),
                "try_files" => location.try_files.clone_from(&inner.args),
                "return" => location.returns = Some(returns(inner)?),
                "internal" => location.internal = true,
                _ => {}
            }
        }
        Ok(location)
    }
}

fn types(directive: &Directive) -> Result<BTreeMap<String, String>, String> {
    let mut types = BTreeMap::new();
    for inner in directive.block.as_deref().unwrap_or_default() {
        if inner.args.is_empty() {
            return Err(inner.error("invalid number of arguments in \"types\" directive"));
        }
        for extension in &inner.args {
            types.insert(extension.to_ascii_lowercase(), inner.name.clone());
        }
    }
    Ok(types)
}

/// `80`, `8080 default_server`, `127.0.0.1:80`, `[::]:80`, `localhost:80`
fn listen(directive: &Directive) -> Result<Listen, String> {
    let text = first(directive);
    let wrong = |what: &str| directive.error(format!("{what} in \"{text}\" of the \"listen\" directive"));
    let port = |text: &str| {
        text.parse::<u16>()
            .ok()
            .filter(|port| *port > 0)
            .ok_or_else(|| wrong("invalid port"))
    };
    let address = if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), port(text)?)
    } else {
        let (host, number) = busybox::util::dial::split_host_port(text);
        let port = number.map_or(Ok(80), port)?;
        let ip: IpAddr = match host {
            "*" => Ipv4Addr::UNSPECIFIED.into(),
            "localhost" => Ipv4Addr::LOCALHOST.into(),
            host => host.parse().map_err(|_| wrong("host not found"))?,
        };
        SocketAddr::new(ip, port)
    };
    let mut default = false;
    for option in directive.args.iter().skip(1) {
        let name = option.split('=').next().unwrap_or("");
        match name {
            "default_server" | "default" => default = true,
            "reuseport" | "backlog" | "deferred" | "bind" | "ipv6only" | "so_keepalive" | "fastopen" => {}
            _ => return Err(directive.error(format!("the invalid \"{option}\" parameter"))),
        }
    }
    Ok(Listen { address, default })
}

/// `return CODE [TEXT|URL]`, `return URL`
fn returns(directive: &Directive) -> Result<Return, String> {
    let value = first(directive);
    match (value.parse::<u16>(), directive.args.get(1)) {
        (Ok(status @ 0..=999), text) => Ok(Return {
            status,
            text: text.cloned(),
        }),
        (Err(_), None) if value.starts_with("http://") || value.starts_with("https://") || value.starts_with('$') => {
            Ok(Return {
                status: 302,
                text: Some(value.to_owned()),
            })
        }
        _ => Err(directive.error(format!("invalid return code \"{value}\""))),
    }
}

/// `error_page 404 500 [=[CODE]] URI`
fn error_page(directive: &Directive) -> Result<ErrorPage, String> {
    let mut page = ErrorPage {
        statuses: Vec::new(),
        answer: None,
        uri: String::new(),
    };
    let Some((uri, codes)) = directive.args.split_last() else {
        return Ok(page);
    };
    page.uri.clone_from(uri);
    for code in codes {
        if let Some(answer) = code.strip_prefix('=') {
            // An empty code leaves the answer to the page itself: for a file that is 200.
            page.answer = Some(answer.parse().unwrap_or(200));
            continue;
        }
        match code.parse() {
            Ok(status @ 300..=599) => page.statuses.push(status),
            _ => return Err(directive.error(format!("invalid value \"{code}\""))),
        }
    }
    Ok(page)
}
