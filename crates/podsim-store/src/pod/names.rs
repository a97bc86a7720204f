//! The rules for names, with apimachinery's words (`util/validation`).

const LABEL: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const SUBDOMAIN: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const QUALIFIED: &str = "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
const LABEL_VALUE: &str = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";

const CONFIG_KEY: &str = "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')";

fn is_label(text: &str) -> bool {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    text.starts_with(inner) && text.ends_with(inner) && text.chars().all(|c| inner(c) || c == '-')
}

fn is_word(text: &str) -> bool {
    let outer = |c: char| c.is_ascii_alphanumeric();
    text.starts_with(outer) && text.ends_with(outer) && text.chars().all(|c| outer(c) || "-_.".contains(c))
}

/// What is wrong with a DNS label (container and volume names).
#[must_use]
pub fn dns_label(text: &str) -> Option<String> {
    if text.len() > 63 {
        Some("must be no more than 63 bytes".to_owned())
    } else if is_label(text) {
        None
    } else {
        Some(LABEL.to_owned())
    }
}

/// What is wrong with a DNS subdomain (names of Pods and nodes, host names).
#[must_use]
pub fn dns_subdomain(text: &str) -> Option<String> {
    if text.len() > 253 {
        Some("must be no more than 253 bytes".to_owned())
    } else if text.split('.').all(is_label) {
        None
    } else {
        Some(SUBDOMAIN.to_owned())
    }
}

/// What is wrong with the key of a label or an annotation.
#[must_use]
pub fn qualified_name(text: &str) -> Option<String> {
    let (prefix, name) = match text.split_once('/') {
        Some((prefix, name)) => (Some(prefix), name),
        None => (None, text),
    };
    match prefix {
        Some("") => return Some("prefix part must be non-empty".to_owned()),
        Some(prefix) => {
            if let Some(wrong) = dns_subdomain(prefix) {
                return Some(format!("prefix part {wrong}"));
            }
        }
        None => {}
    }
    if name.is_empty() {
        Some("name part must be non-empty".to_owned())
    } else if name.len() > 63 {
        Some("name part must be no more than 63 bytes".to_owned())
    } else if is_word(name) {
        None
    } else {
        Some(QUALIFIED.to_owned())
    }
}

/// What is wrong with a key of a ConfigMap or a Secret, which is a file name.
#[must_use]
pub fn config_key(text: &str) -> Option<String> {
    let is_key_byte = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    if text.len() > 253 {
        Some("must be no more than 253 bytes".to_owned())
    } else if text.is_empty() || !text.bytes().all(is_key_byte) {
        Some(CONFIG_KEY.to_owned())
    } else if text == "." || text == ".." {
        Some(format!("must not be '{text}'"))
    } else if text.starts_with("..") {
        Some("must not start with '..'".to_owned())
    } else {
        None
    }
}

/// What is wrong with the name of a setting of the kernel (`IsValidSysctlName`).
pub(super) fn sysctl(text: &str) -> Option<String> {
    const MOST: usize = 253;
    let outer = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let part = |part: &str| {
        part.starts_with(outer) && part.ends_with(outer) && part.chars().all(|c| outer(c) || c == '-' || c == '_')
    };
    if text.len() <= MOST && text.split(['.', '/']).all(part) {
        None
    } else {
        Some(format!(
            "must have at most {MOST} characters and match regex ^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$"
        ))
    }
}

/// What is wrong with the value of a label.
#[must_use]
pub fn label_value(text: &str) -> Option<String> {
    if text.len() > 63 {
        Some("must be no more than 63 bytes".to_owned())
    } else if text.is_empty() || is_word(text) {
        None
    } else {
        Some(LABEL_VALUE.to_owned())
    }
}

/// What is wrong with the name of an environment variable.
#[must_use]
pub fn env_name(text: &str) -> Option<String> {
    if text.chars().all(|c| (' '..='~').contains(&c) && c != '=') {
        None
    } else {
        Some(
            "a valid environment variable name must consist only of printable ASCII characters other than '='"
                .to_owned(),
        )
    }
}

/// What is wrong with the name of a port.
#[must_use]
pub fn port_name(text: &str) -> Option<String> {
    if text.len() > 15 {
        Some("must be no more than 15 characters".to_owned())
    } else if !text
        .chars()
        .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
    {
        Some("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)".to_owned())
    } else if !text.chars().any(|c| c.is_ascii_lowercase()) {
        Some("must contain at least one letter (a-z)".to_owned())
    } else if text.contains("--") {
        Some("must not contain consecutive hyphens".to_owned())
    } else if text.starts_with('-') || text.ends_with('-') {
        Some("must not begin or end with a hyphen".to_owned())
    } else {
        None
    }
}

/// What is wrong with a key of a ConfigMap or a Secret.
#[must_use]
pub fn config_map_key(text: &str) -> Option<String> {
    if text.len() > 253 {
        Some("must be no more than 253 bytes".to_owned())
    } else if text == "." || text == ".." {
        Some(format!("must not be '{text}'"))
    } else if text.starts_with("..") {
        Some("must not start with '..'".to_owned())
    } else if !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c)) {
        None
    } else {
        Some("a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')".to_owned())
    }
}

/// What is wrong with the name of an HTTP header.
#[must_use]
pub fn http_header_name(text: &str) -> Option<String> {
    if !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') {
        None
    } else {
        Some("a valid HTTP header must consist of alphanumeric characters or '-' (e.g. 'X-Header-Name', regex used for validation is '[-A-Za-z0-9]+')".to_owned())
    }
}
