//! The containers of a described Pod.

use super::{Text, items, or_none, text, time};
use serde_json::Value;

/// All containers of one list, with their statuses.
pub(super) fn containers(out: &mut Text, title: &str, specs: &Value, statuses: &Value) {
    let specs = items(specs);
    if specs.is_empty() {
        return;
    }
    out.line(0, format!("{title}:"));
    for spec in specs {
        let status = items(statuses).iter().find(|status| status["name"] == spec["name"]);
        container(out, spec, status.unwrap_or(&Value::Null));
    }
}

fn container(out: &mut Text, spec: &Value, status: &Value) {
    out.line(1, format!("{}:", text(&spec["name"])));
    out.line(2, format!("Container ID:\t{}", text(&status["containerID"])));
    out.line(2, format!("Image:\t{}", text(&spec["image"])));
    out.line(2, format!("Image ID:\t{}", text(&status["imageID"])));
    let ports = items(&spec["ports"]);
    let plural = if ports.len() > 1 { "s" } else { "" };
    let list = |field: &str| {
        let ports: Vec<String> = ports
            .iter()
            .map(|port| {
                format!(
                    "{}/{}",
                    port[field].as_u64().unwrap_or(0),
                    port["protocol"].as_str().unwrap_or("TCP")
                )
            })
            .collect();
        or_none(&ports.join(", ")).to_owned()
    };
    out.line(2, format!("Port{plural}:\t{}", list("containerPort")));
    out.line(2, format!("Host Port{plural}:\t{}", list("hostPort")));
    words(out, "Command", &spec["command"]);
    words(out, "Args", &spec["args"]);
    if status.is_object() {
        state(out, "State", &status["state"]);
        if status["lastState"].as_object().is_some_and(|last| !last.is_empty()) {
            state(out, "Last State", &status["lastState"]);
        }
        out.line(
            2,
            format!("Ready:\t{}", if status["ready"] == true { "True" } else { "False" }),
        );
        out.line(
            2,
            format!("Restart Count:\t{}", status["restartCount"].as_u64().unwrap_or(0)),
        );
    }
    for (title, list) in [("Limits", "limits"), ("Requests", "requests")] {
        if let Some(amounts) = spec["resources"][list]
            .as_object()
            .filter(|amounts| !amounts.is_empty())
        {
            out.line(2, format!("{title}:"));
            for (name, amount) in amounts {
                out.line(3, format!("{name}:\t{}", text(amount)));
            }
        }
    }
    for (title, field) in [
        ("Liveness", "livenessProbe"),
        ("Readiness", "readinessProbe"),
        ("Startup", "startupProbe"),
    ] {
        if spec[field].is_object() {
            out.line(2, format!("{title}:\t{}", probe(&spec[field])));
        }
    }
    environment(out, spec);
    mounts(out, spec);
}

fn words(out: &mut Text, title: &str, list: &Value) {
    if items(list).is_empty() {
        return;
    }
    out.line(2, format!("{title}:"));
    for word in items(list) {
        for line in text(word).split('\n') {
            out.line(3, line);
        }
    }
}

fn state(out: &mut Text, title: &str, state: &Value) {
    if let Some(running) = state.get("running") {
        out.line(2, format!("{title}:\tRunning"));
        out.line(3, format!("Started:\t{}", time(&running["startedAt"])));
    } else if let Some(ended) = state.get("terminated") {
        out.line(2, format!("{title}:\tTerminated"));
        for (title, field) in [("Reason", "reason"), ("Message", "message")] {
            if !text(&ended[field]).is_empty() {
                out.line(3, format!("{title}:\t{}", text(&ended[field])));
            }
        }
        out.line(3, format!("Exit Code:\t{}", ended["exitCode"]));
        if let Some(signal) = ended["signal"].as_i64().filter(|signal| *signal > 0) {
            out.line(3, format!("Signal:\t{signal}"));
        }
        out.line(3, format!("Started:\t{}", time(&ended["startedAt"])));
        out.line(3, format!("Finished:\t{}", time(&ended["finishedAt"])));
    } else {
        out.line(2, format!("{title}:\tWaiting"));
        let reason = text(&state["waiting"]["reason"]);
        if !reason.is_empty() {
            out.line(3, format!("Reason:\t{reason}"));
        }
    }
}

fn probe(probe: &Value) -> String {
    let number = |field: &str, default: u64| probe[field].as_u64().unwrap_or(default);
    let settings = format!(
        "delay={}s timeout={}s period={}s #success={} #failure={}",
        number("initialDelaySeconds", 0),
        number("timeoutSeconds", 1),
        number("periodSeconds", 10),
        number("successThreshold", 1),
        number("failureThreshold", 3)
    );
    let port = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    if let Some(exec) = probe.get("exec") {
        let command: Vec<&str> = items(&exec["command"]).iter().map(text).collect();
        format!("exec [{}] {settings}", command.join(" "))
    } else if let Some(get) = probe.get("httpGet") {
        let scheme = get["scheme"].as_str().unwrap_or("HTTP").to_lowercase();
        format!(
            "http-get {scheme}://{}:{}{} {settings}",
            text(&get["host"]),
            port(&get["port"]),
            text(&get["path"])
        )
    } else if let Some(socket) = probe.get("tcpSocket") {
        format!(
            "tcp-socket {}:{} {settings}",
            text(&socket["host"]),
            port(&socket["port"])
        )
    } else if let Some(grpc) = probe.get("grpc") {
        format!(
            "grpc <pod>:{} {} {settings}",
            port(&grpc["port"]),
            text(&grpc["service"])
        )
    } else {
        format!("unknown {settings}")
    }
}

fn environment(out: &mut Text, spec: &Value) {
    let sources = items(&spec["envFrom"]);
    if !sources.is_empty() {
        out.line(2, "Environment Variables from:");
        for source in sources {
            let (kind, from) = match source.get("configMapRef") {
                Some(from) => ("ConfigMap", from),
                None => ("Secret", &source["secretRef"]),
            };
            let optional = from["optional"] == true;
            out.line(3, format!("{}\t{kind}\tOptional: {optional}", text(&from["name"])));
        }
    }
    if items(&spec["env"]).is_empty() {
        out.line(2, "Environment:\t<none>");
        return;
    }
    out.line(2, "Environment:");
    for variable in items(&spec["env"]) {
        let from = &variable["valueFrom"];
        let value = if let Some(field) = from.get("fieldRef") {
            format!(
                " ({}:{})",
                field["apiVersion"].as_str().unwrap_or("v1"),
                text(&field["fieldPath"])
            )
        } else if let Some(resource) = from.get("resourceFieldRef") {
            format!(" ({})", text(&resource["resource"]))
        } else if let Some(key) = from.get("configMapKeyRef").or(from.get("secretKeyRef")) {
            let kind = if from.get("configMapKeyRef").is_some() {
                "config map"
            } else {
                "secret"
            };
            let optional = key["optional"] == true;
            format!(
                "<set to the key '{}' of {kind} '{}'>  Optional: {optional}",
                text(&key["key"]),
                text(&key["name"])
            )
        } else {
            text(&variable["value"]).to_owned()
        };
        out.line(3, format!("{}:\t{value}", text(&variable["name"])));
    }
}

fn mounts(out: &mut Text, spec: &Value) {
    let mut mounts: Vec<&Value> = items(&spec["volumeMounts"]).iter().collect();
    if mounts.is_empty() {
        out.line(2, "Mounts:\t<none>");
        return;
    }
    mounts.sort_by_key(|mount| text(&mount["mountPath"]));
    out.line(2, "Mounts:");
    for mount in mounts {
        let mut flags = vec![if mount["readOnly"] == true { "ro" } else { "rw" }.to_owned()];
        if !text(&mount["subPath"]).is_empty() {
            flags.push(format!("path=\"{}\"", text(&mount["subPath"])));
        }
        out.line(
            3,
            format!(
                "{} from {} ({})",
                text(&mount["mountPath"]),
                text(&mount["name"]),
                flags.join(",")
            ),
        );
    }
}
