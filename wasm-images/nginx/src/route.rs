//! From a request to an answer: the server by its name, the location by its path, then what the location says.

use crate::config::{Config, Location, Matching, Return, Server, Settings};
use crate::errorlog::ErrorLog;
use crate::request::Request;
use crate::response::{Body, Response};
use crate::variables::{Facts, expand};
use crate::{config::Level, files};
use std::net::SocketAddr;
use std::rc::Rc;

/// Where a request came in.
#[derive(Clone, Copy)]
pub(crate) struct Peer {
    pub(crate) client: SocketAddr,
    pub(crate) local: SocketAddr,
    pub(crate) connection: u64,
}

/// An answer, with the settings of the location that gave it.
pub(crate) struct Routed {
    pub(crate) response: Response,
    pub(crate) settings: Settings,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) path: String,
    pub(crate) server_name: String,
}

/// The server for an address and a host: by name, else the default of the address, else its first.
pub(crate) fn server(config: &Config, local: SocketAddr, host: Option<&str>) -> Option<Rc<Server>> {
    let listens = |server: &&Rc<Server>| {
        server.listen.iter().any(|listen| {
            let any = listen.address.ip().is_unspecified() && listen.address.is_ipv4() == local.is_ipv4();
            listen.address.port() == local.port() && (any || listen.address.ip() == local.ip())
        })
    };
    let candidates: Vec<&Rc<Server>> = config.servers.iter().filter(listens).collect();
    let host = host.unwrap_or("");
    let exact = |server: &&&Rc<Server>| server.names.iter().any(|name| name == host);
    let wild = |server: &&&Rc<Server>| {
        server.names.iter().any(|name| {
            match (name.strip_prefix('*'), name.strip_suffix(".*"), name.strip_prefix('.')) {
                (Some(suffix), ..) => host.ends_with(suffix) && host.len() > suffix.len(),
                (_, Some(prefix), _) => host.strip_prefix(prefix).is_some_and(|rest| rest.starts_with('.')),
                (_, _, Some(domain)) => host == domain || host.ends_with(name.as_str()),
                _ => false,
            }
        })
    };
    let default = |server: &&&Rc<Server>| {
        server
            .listen
            .iter()
            .any(|listen| listen.default && listen.address.port() == local.port())
    };
    let found = candidates.iter().find(exact).or_else(|| candidates.iter().find(wild));
    let found = found
        .or_else(|| candidates.iter().find(default))
        .or_else(|| candidates.first());
    found.map(|server| Rc::clone(server))
}

/// The location for a path: exact, then the longest prefix, unless a regular expression matches.
pub(crate) fn location<'a>(server: &'a Server, path: &str) -> Option<&'a Location> {
    let mut longest: Option<(&Location, usize, bool)> = None;
    for location in &server.locations {
        match &location.matching {
            Matching::Exact(exact) if exact == path => return Some(location),
            Matching::Prefix(prefix, stop)
                if path.starts_with(prefix.as_str()) && longest.is_none_or(|(_, length, _)| prefix.len() > length) =>
            {
                longest = Some((location, prefix.len(), *stop));
            }
            _ => {}
        }
    }
    if !longest.is_some_and(|(_, _, stop)| stop) {
        let regex = server
            .locations
            .iter()
            .find(|location| matches!(&location.matching, Matching::Regex(regex) if regex.is_match(path.as_bytes())));
        if regex.is_some() {
            return regex;
        }
    }
    longest.map(|(location, ..)| location)
}

/// What a location decides about a path.
enum Step {
    Answer(Response),
    /// Look for another location, with this path or `@name`.
    Redirect(String),
}

/// How often a request may be redirected inside, as in nginx.
const MOST_REDIRECTS: u32 = 10;

/// Answers a request.
pub(crate) fn answer(server: &Rc<Server>, request: &Request, peer: Peer, log: &ErrorLog) -> Routed {
    let mut routing = Routing {
        server,
        request,
        peer,
        log,
    };
    routing.run(None)
}

/// The answer to what is not even a request.
pub(crate) fn refuse(server: &Rc<Server>, request: &Request, peer: Peer, log: &ErrorLog, status: u16) -> Routed {
    let mut routing = Routing {
        server,
        request,
        peer,
        log,
    };
    routing.run(Some(status))
}

struct Routing<'a> {
    server: &'a Rc<Server>,
    request: &'a Request,
    peer: Peer,
    log: &'a ErrorLog,
}

impl Routing<'_> {
    fn run(&mut self, refused: Option<u16>) -> Routed {
        let mut path = self.request.path.clone();
        let mut inside = false;
        // The status that an error page stands for, and that page's answer.
        let mut error: Option<(u16, Option<u16>)> = None;
        let mut settings = self.server.settings.clone();
        for round in 0..=MOST_REDIRECTS {
            let (mut step, of) = match (refused, error) {
                (Some(status), None) => (Step::Answer(Response::page(status, &settings)), settings.clone()),
                _ => self.step(&path, inside),
            };
            settings = of;
            if round == MOST_REDIRECTS {
                self.complain(Level::Error, "rewrite or internal redirection cycle");
                step = Step::Answer(Response::page(500, &settings));
            }
            let mut response = match step {
                Step::Redirect(next) => {
                    path = next;
                    inside = true;
                    continue;
                }
                Step::Answer(response) => response,
            };
            if let Some((status, answer)) = error {
                // The page itself could not be had: nginx's own page takes its place.
                if response.status >= 300 && round > 0 && response.status != 304 {
                    response = Response::page(status, &settings);
                } else {
                    response.status = answer.unwrap_or(status);
                    response.range = None;
                }
            } else if response.status >= 300
                && let Some(page) = settings
                    .error_pages
                    .iter()
                    .find(|page| page.statuses.contains(&response.status))
            {
                if page.uri.starts_with('/') || page.uri.starts_with('@') {
                    error = Some((response.status, page.answer));
                    path.clone_from(&page.uri);
                    inside = true;
                    continue;
                }
                let status = response.status;
                response = Response::page(page.answer.unwrap_or(302), &settings);
                response.location = Some(self.expand(&page.uri, &path, &settings, status));
            }
            return self.finish(response, settings, path);
        }
        let response = Response::page(500, &settings);
        self.finish(response, settings, path)
    }

    fn finish(&self, response: Response, settings: Settings, path: String) -> Routed {
        let ok = matches!(
            response.status,
            200 | 201 | 204 | 206 | 301 | 302 | 303 | 304 | 307 | 308
        );
        let headers = settings
            .headers
            .iter()
            .filter(|(_, _, always)| ok || *always)
            .map(|(name, value, _)| (name.clone(), self.expand(value, &path, &settings, response.status)))
            .filter(|(_, value)| !value.is_empty())
            .collect();
        let server_name = self.server.names.first().cloned().unwrap_or_default();
        Routed {
            response,
            settings,
            headers,
            path,
            server_name,
        }
    }

    fn step(&self, path: &str, inside: bool) -> (Step, Settings) {
        if let Some(returns) = &self.server.returns
            && !inside
        {
            return (
                Step::Answer(self.returns(returns, path, &self.server.settings)),
                self.server.settings.clone(),
            );
        }
        let found = match path.strip_prefix('@') {
            Some(name) => self
                .server
                .locations
                .iter()
                .find(|l| matches!(&l.matching, Matching::Named(n) if n == name)),
            None => location(self.server, path),
        };
        let Some(location) = found else {
            return (
                Step::Answer(Response::page(500, &self.server.settings)),
                self.server.settings.clone(),
            );
        };
        // A named location works on the path of the request.
        let path = if path.starts_with('@') {
            self.request.path.as_str()
        } else {
            path
        };
        (self.in_location(location, path, inside), location.settings.clone())
    }

    fn in_location(&self, location: &Location, path: &str, inside: bool) -> Step {
        let settings = &location.settings;
        if location.internal && !inside {
            return Step::Answer(Response::page(404, settings));
        }
        if let Some(returns) = &location.returns {
            return Step::Answer(self.returns(returns, path, settings));
        }
        if !settings.allowed {
            self.complain(Level::Error, "access forbidden by rule");
            return Step::Answer(Response::page(403, settings));
        }
        if let Some((last, tried)) = location.try_files.split_last() {
            for candidate in tried {
                let uri = self.expand(candidate, path, settings, 200);
                let file = file_of(location, &uri);
                let wants_dir = uri.ends_with('/');
                match busybox::util::files::stat(file.trim_end_matches('/')) {
                    Ok(stat) if (stat.file_type == podsim_sys::FileType::Directory) == wants_dir => {
                        return self.serve(location, &uri);
                    }
                    _ => {}
                }
            }
            return match last.strip_prefix('=').map(str::parse) {
                Some(Ok(status)) => Step::Answer(Response::page(status, settings)),
                Some(Err(_)) => Step::Answer(Response::page(500, settings)),
                None => Step::Redirect(self.expand(last, path, settings, 200)),
            };
        }
        self.serve(location, path)
    }

    fn serve(&self, location: &Location, path: &str) -> Step {
        let file = file_of(location, path);
        match files::serve(self.request, path, &file, &location.settings) {
            files::Served::Answer(response) => Step::Answer(response),
            files::Served::Index(uri) => Step::Redirect(uri),
            files::Served::AddSlash => {
                let mut response = Response::page(301, &location.settings);
                let query = self
                    .request
                    .query
                    .as_ref()
                    .map_or(String::new(), |query| format!("?{query}"));
                response.location = Some(self.absolute(&format!("{path}/{query}")));
                Step::Answer(response)
            }
            files::Served::Failed(status, level, message) => {
                self.complain(level, &message);
                Step::Answer(Response::page(status, &location.settings))
            }
        }
    }

    fn returns(&self, returns: &Return, path: &str, settings: &Settings) -> Response {
        let text = returns
            .text
            .as_ref()
            .map(|text| self.expand(text, path, settings, returns.status));
        match (returns.status, text) {
            (301 | 302 | 303 | 307 | 308, Some(target)) => {
                let mut response = Response::page(returns.status, settings);
                response.location = Some(if target.starts_with('/') {
                    self.absolute(&target)
                } else {
                    target
                });
                response
            }
            (status, Some(text)) => Response {
                content_type: Some(settings.default_type.clone()),
                body: Body::Bytes(text.into_bytes()),
                ..Response::new(status)
            },
            (status, None) if status >= 300 => Response::page(status, settings),
            (status, None) => Response::new(status),
        }
    }

    /// A path of this server as an absolute address.
    fn absolute(&self, path: &str) -> String {
        let name = self.server.names.first().filter(|name| !name.is_empty());
        let host = self.request.host.clone().or_else(|| name.cloned());
        let host = host.unwrap_or_else(|| self.peer.local.ip().to_string());
        match self.peer.local.port() {
            80 => format!("http://{host}{path}"),
            port => format!("http://{host}:{port}{path}"),
        }
    }

    fn expand(&self, text: &str, path: &str, settings: &Settings, status: u16) -> String {
        let facts = Facts {
            request: self.request,
            client: self.peer.client,
            local: self.peer.local,
            path,
            server_name: self.server.names.first().map_or("", String::as_str),
            root: &settings.root,
            status,
            body_bytes: 0,
            all_bytes: 0,
            connection: self.peer.connection,
            time: 0.0,
        };
        expand(text, &facts, false)
    }

    fn complain(&self, level: Level, message: &str) {
        let name = self.server.names.first().map_or("", String::as_str);
        let host = self
            .request
            .header("host")
            .map_or(String::new(), |host| format!(", host: \"{host}\""));
        let client = self.peer.client.ip();
        let line = &self.request.line;
        let message = format!("{message}, client: {client}, server: {name}, request: \"{line}\"{host}");
        self.log.about(level, self.peer.connection, &message);
    }
}

/// The file that a path stands for.
fn file_of(location: &Location, path: &str) -> String {
    match (&location.alias, &location.matching) {
        (Some(alias), Matching::Prefix(prefix, _) | Matching::Exact(prefix)) => {
            format!("{alias}{}", path.strip_prefix(prefix.as_str()).unwrap_or(path))
        }
        (Some(alias), _) => alias.clone(),
        (None, _) => format!("{}{path}", location.settings.root),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::tests::from_text;

    #[test]
    fn the_most_exact_location_wins() {
        let text = "http { server { location / { return 1; } location /a/ { return 2; } location = /a/b { return 3; }
                    location ~ \\.php$ { return 4; } location ^~ /static/ { return 5; } location ~* \\.GIF$ { return 6; } } }";
        let config = from_text(text).expect("a right configuration");
        for (path, want) in [
            ("/", 1),
            ("/x", 1),
            ("/a/", 2),
            ("/a/b", 3),
            ("/a/b.php", 4),
            ("/static/x.php", 5),
            ("/a/x.gif", 6),
        ] {
            let found = location(&config.servers[0], path)
                .and_then(|l| l.returns.as_ref())
                .map(|r| r.status);
            assert_eq!(found, Some(want), "{path}");
        }
    }

    #[test]
    fn servers_are_found_by_port_and_name() {
        let text = "http { server { listen 80; server_name a; } server { listen 80; server_name *.b; }
                    server { listen 80 default_server; server_name c; } server { listen 81; server_name d; } }";
        let config = from_text(text).expect("a right configuration");
        for (port, host, want) in [
            (80, Some("a"), Some("a")),
            (80, Some("x.b"), Some("*.b")),
            (80, Some("zzz"), Some("c")),
            (80, None, Some("c")),
            (81, Some("a"), Some("d")),
            (82, Some("a"), None),
        ] {
            let found = server(&config, SocketAddr::from(([127, 0, 0, 1], port)), host);
            assert_eq!(found.as_ref().map(|s| s.names[0].as_str()), want, "{port} {host:?}");
        }
    }
}
