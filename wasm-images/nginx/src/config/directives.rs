//! The table of directives.

use super::tree::Directive;

/// Where a directive may stand.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Context {
    Main,
    Events,
    Http,
    Server,
    Location,
}

use Context::{Events, Http, Location as Loc, Main, Server as Srv};

/// A known directive: where it may stand, how many arguments it takes, whether it has a block.
struct Known {
    name: &'static str,
    contexts: &'static [Context],
    args: std::ops::RangeInclusive<usize>,
    block: bool,
}

const ANY: usize = usize::MAX;
const WEB: &[Context] = &[Http, Srv, Loc];

const fn known(name: &'static str, contexts: &'static [Context], least: usize, most: usize, block: bool) -> Known {
    Known {
        name,
        contexts,
        args: least..=most,
        block,
    }
}

/// The directives. Those that [`NO_EFFECT`] lists are accepted and change nothing here.
const KNOWN: &[Known] = &[
    known("user", &[Main], 1, 2, false),
    known("worker_processes", &[Main], 1, 1, false),
    known("daemon", &[Main], 1, 1, false),
    known("pid", &[Main], 1, 1, false),
    known("error_log", &[Main, Http, Srv, Loc], 1, 2, false),
    known("events", &[Main], 0, 0, true),
    known("http", &[Main], 0, 0, true),
    known("worker_connections", &[Events], 1, 1, false),
    known("server", &[Http], 0, 0, true),
    known("location", &[Srv], 1, 2, true),
    known("types", WEB, 0, 0, true),
    known("log_format", &[Http], 2, ANY, false),
    known("listen", &[Srv], 1, ANY, false),
    known("server_name", &[Srv], 1, ANY, false),
    known("root", WEB, 1, 1, false),
    known("alias", &[Loc], 1, 1, false),
    known("index", WEB, 1, ANY, false),
    known("autoindex", WEB, 1, 1, false),
    known("try_files", &[Srv, Loc], 2, ANY, false),
    known("return", &[Srv, Loc], 1, 2, false),
    known("internal", &[Loc], 0, 0, false),
    known("default_type", WEB, 1, 1, false),
    known("charset", WEB, 1, 1, false),
    known("access_log", WEB, 1, ANY, false),
    known("error_page", WEB, 2, ANY, false),
    known("add_header", WEB, 2, 3, false),
    known("server_tokens", WEB, 1, 1, false),
    known("etag", WEB, 1, 1, false),
    known("keepalive_timeout", WEB, 1, 2, false),
    known("client_header_timeout", &[Http, Srv], 1, 1, false),
    known("send_timeout", WEB, 1, 1, false),
    known("client_max_body_size", WEB, 1, 1, false),
    known("allow", WEB, 1, 1, false),
    known("deny", WEB, 1, 1, false),
];

/// Accepted without effect: tuning of what does not exist here, and compression, which clients cannot rely on anyway.
const NO_EFFECT: &[(&str, &[Context])] = &[
    ("worker_rlimit_nofile", &[Main]),
    ("worker_priority", &[Main]),
    ("worker_cpu_affinity", &[Main]),
    ("worker_shutdown_timeout", &[Main]),
    ("pcre_jit", &[Main]),
    ("thread_pool", &[Main]),
    ("env", &[Main]),
    ("multi_accept", &[Events]),
    ("use", &[Events]),
    ("accept_mutex", &[Events]),
    ("sendfile", WEB),
    ("sendfile_max_chunk", WEB),
    ("tcp_nopush", WEB),
    ("tcp_nodelay", WEB),
    ("aio", WEB),
    ("directio", WEB),
    ("open_file_cache", WEB),
    ("types_hash_max_size", WEB),
    ("types_hash_bucket_size", WEB),
    ("server_names_hash_bucket_size", &[Http]),
    ("server_names_hash_max_size", &[Http]),
    ("variables_hash_max_size", &[Http]),
    ("keepalive_requests", WEB),
    ("client_body_timeout", WEB),
    ("client_body_buffer_size", WEB),
    ("client_header_buffer_size", &[Http, Srv]),
    ("large_client_header_buffers", &[Http, Srv]),
    ("reset_timedout_connection", WEB),
    ("lingering_timeout", WEB),
    ("log_not_found", WEB),
    ("gzip", WEB),
    ("gzip_types", WEB),
    ("gzip_vary", WEB),
    ("gzip_proxied", WEB),
    ("gzip_comp_level", WEB),
    ("gzip_min_length", WEB),
    ("gzip_buffers", WEB),
    ("gzip_http_version", WEB),
    ("gzip_disable", WEB),
    ("gzip_static", WEB),
];

/// Whether each directive of a block is known, allowed there, and has its arguments.
pub(super) fn check(block: &[Directive], context: Context) -> Result<(), String> {
    for (index, directive) in block.iter().enumerate() {
        let name = directive.name.as_str();
        if let Some((_, contexts)) = NO_EFFECT.iter().find(|(n, _)| *n == name) {
            if !contexts.contains(&context) {
                return Err(directive.error(format!("\"{name}\" directive is not allowed here")));
            }
            continue;
        }
        let Some(known) = KNOWN.iter().find(|known| known.name == name) else {
            return Err(directive.error(format!("unknown directive \"{name}\"")));
        };
        if !known.contexts.contains(&context) {
            return Err(directive.error(format!("\"{name}\" directive is not allowed here")));
        }
        if known.block && directive.block.is_none() {
            return Err(directive.error(format!("directive \"{name}\" has no opening \"{{\"")));
        }
        if !known.block && directive.block.is_some() {
            return Err(directive.error(format!("directive \"{name}\" is not terminated by \";\"")));
        }
        let once = [
            "user",
            "worker_processes",
            "daemon",
            "pid",
            "events",
            "http",
            "worker_connections",
            "alias",
        ];
        if once.contains(&name) && block.iter().take(index).any(|earlier| earlier.name == name) {
            return Err(directive.error(format!("\"{name}\" directive is duplicate")));
        }
        if !known.args.contains(&directive.args.len()) {
            return Err(directive.error(format!("invalid number of arguments in \"{name}\" directive")));
        }
    }
    Ok(())
}
